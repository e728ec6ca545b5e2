import { ViewportPortal } from '@xyflow/react';
import type { JSX } from 'react';

import type { PlacedEdge } from '../graph/place';
import { linkOf } from './operations';
import * as operations from './operations';
import type { EditorStore } from './store';
import { useEditor } from './useEditor';

/** What can be done with the chosen line: put a step on it, or take it away, where that is possible. */
export function EdgeTools({
  store,
  edge,
  onInsert,
}: {
  store: EditorStore;
  edge: PlacedEdge;
  onInsert: () => void;
}): JSX.Element {
  const { model, readOnly } = useEditor(store);
  const { source, target } = edge;
  const link = linkOf(model, source, target);
  const onlyRead = link.read && !link.need && !link.failure;
  const [x, y] = middle(edge);
  const said = onlyRead
    ? `${target} reads steps.${source} in an expression: the line goes when the expression does`
    : link.read
      ? `Takes ${source} out of needs; the line stays, as an expression of ${target} reads it`
      : link.failure
        ? `Takes on_error of ${source} away`
        : link.transitions.length
          ? 'Removes the transition'
          : `Takes ${source} out of the needs of ${target}`;
  return (
    <ViewportPortal>
      <div
        className="agentnb-editor-edgetools nodrag nopan"
        style={{ transform: `translate(${String(x)}px, ${String(y)}px) translate(-50%, -50%)` }}
        data-testid="edge-tools"
        role="toolbar"
        aria-label={`Line from ${source} to ${target}`}
      >
        <button
          type="button"
          title={`Insert a step between ${source} and ${target}`}
          data-testid="edge-insert"
          disabled={readOnly || link.failure}
          onClick={onInsert}
        >
          +
        </button>
        <button
          type="button"
          title={said}
          data-testid="edge-remove"
          disabled={readOnly || onlyRead}
          onClick={() => store.edit(draft => operations.disconnect(draft, source, target))}
        >
          ×
        </button>
        {(onlyRead || (link.read && link.need)) && (
          <small data-testid="edge-says" role="note">
            {onlyRead ? 'read by an expression' : 'also read by an expression'}
          </small>
        )}
      </div>
    </ViewportPortal>
  );
}

function middle({ edge, points }: PlacedEdge): [number, number] {
  if (!points.length) {
    return [0, 0];
  }
  const place = Math.max(0, (points.length >> 1) - 1);
  const [one = [0, 0], other = [0, 0]] = [points[place], points[place + 1]];
  return [(one[0] + other[0]) / 2, (one[1] + other[1]) / 2 + (edge.label ? 14 : 0)];
}
