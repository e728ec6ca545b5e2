import type { Edge, EdgeProps } from '@xyflow/react';
import { memo, useCallback, useContext, type ReactElement } from 'react';

import { curve, head, loop } from './curve';
import { EditingContext } from './editing';
import { numbers } from './format';
import { useLive, type Live } from './live';
import { Commands } from './node';
import type { PlacedEdge } from './place';

export interface LineData extends Record<string, unknown> {
  placed: PlacedEdge;
  /** Where a line from a state to itself stands: the middle of its top. */
  loop: readonly [number, number] | null;
}

export type LineEdgeType = Edge<LineData, 'line'>;

/** A line, with its condition and, of a state machine, the numbers of the times that it was taken. */
export const LineEdge = memo(function LineEdge({ data }: EdgeProps<LineEdgeType>): ReactElement | null {
  const found = data?.placed;
  const kind = useLive(useCallback((live: Live) => (found ? kindOf(live, found) : ''), [found]));
  const taken = useLive(useCallback((live: Live) => (found ? live.state.taken[found.path] : undefined), [found]));
  const editing = useContext(EditingContext);
  const { idOf } = useContext(Commands);
  if (!found) {
    return null;
  }
  const { edge, points } = found;
  const above = data.loop;
  const label = [
    taken && (taken.length > 1 || taken[0] !== 1 || above || edge.label) ? numbers(taken) : '',
    edge.label ?? '',
  ]
    .filter(Boolean)
    .join(' · ');
  return (
    <g
      {...(editing && {
        id: idOf(found.path),
        role: 'option',
        'aria-selected': editing.edge === found.path,
        'aria-label': `Line from ${found.source} to ${found.target}${label && `, ${label}`}`,
      })}
      className={`agentnb-flow-edge ${kind} ${editing?.edge === found.path ? 'agentnb-flow-edge-selected' : ''}`}
      data-testid={`edge:${found.path}`}
      data-taken={taken?.join(' ') ?? ''}
    >
      {editing && <path className="agentnb-flow-hit" d={above ? loop(above[0], above[1]) : curve(points)} />}
      {above ? (
        <path d={loop(above[0], above[1])} />
      ) : (
        <>
          <path className={edge.dashed ? 'agentnb-flow-dashed' : undefined} d={curve(points)} />
          <path d={head(points, edge.backward)} />
        </>
      )}
      {label && (above ? <LoopLabel at={above} text={label} /> : <LineLabel found={found} text={label} />)}
    </g>
  );
});

function LoopLabel({ at, text }: { at: readonly [number, number]; text: string }): ReactElement {
  return (
    <text x={at[0]} y={at[1] - 18} textAnchor="middle">
      <title>{text}</title>
      {clipped(text, 190)}
    </text>
  );
}

/** The words at a line: beside the end where fewer lines meet. */
function LineLabel({ found, text }: { found: PlacedEdge; text: string }): ReactElement {
  const { edge, points } = found;
  const atEnd = edge.at_end === true;
  const [from, to] = atEnd ? points.slice(-2) : points.slice(0, 2);
  const room = Math.max((to?.[0] ?? 0) - (from?.[0] ?? 0) - 30, 40);
  const x = atEnd ? (to?.[0] ?? 0) - 14 : (from?.[0] ?? 0) + 14;
  const y = ((atEnd ? to?.[1] : from?.[1]) ?? 0) + (edge.backward ? 14 : -5);
  return (
    <text x={x} y={y} textAnchor={atEnd ? 'end' : 'start'}>
      <title>{text}</title>
      {clipped(text, room)}
    </text>
  );
}

/** What a line says of the run: taken, on the critical path, or not gone. */
function kindOf(live: Live, { path, source, target }: PlacedEdge): string {
  const { steps, taken, run } = live.state;
  const faint = live.found !== null && !(live.found.has(source) && live.found.has(target)) ? 'agentnb-flow-faint' : '';
  if (taken[path]) {
    return `agentnb-flow-taken ${faint}`;
  }
  const [one, other] = [steps[source]?.status, steps[target]?.status];
  if (one === 'skipped' || other === 'skipped') {
    return 'agentnb-flow-faded';
  }
  if (run && live.isCritical(source, target)) {
    return `agentnb-flow-critical ${faint}`;
  }
  return faint;
}

/** About as many characters of a small text as have room. */
function clipped(text: string, room: number): string {
  const most = Math.max(Math.floor(room / 6), 5);
  return text.length <= most ? text : `${text.slice(0, most - 1).trimEnd()}…`;
}
