import { useConnection, useReactFlow } from '@xyflow/react';
import { createContext, useState, type DragEvent, type ReactElement } from 'react';

import type { Placed, PlacedEdge } from './place';

/** What is wrong with a step. */
export interface Mark {
  severity: 'error' | 'warning';
  text: string;
}

/** Where something was let go: on a line, on a step, or beside. */
export interface Drop {
  data: string;
  edge: PlacedEdge | null;
  node: string;
}

/** What an editor adds to the canvas. */
export interface Editing {
  /** Whether a line may lead from one step to another; what may not fades while a line is drawn. */
  mayConnect: (source: string, target: string) => boolean;
  onConnect: (source: string, target: string) => void;
  /** The type of what may be dragged here. */
  accepts: string;
  onDrop: (drop: Drop) => void;
  /** The path of the chosen line; empty for none. */
  edge: string;
  onEdge: (path: string) => void;
  /** By the path of the step. */
  marks: ReadonlyMap<string, Mark>;
}

export const EditingContext = createContext<Editing | null>(null);

/** A line takes what is let go within so many pixels of it. */
const NEAR = 28;

/** What a step shows while it is edited: what is wrong with it, and that a line can't lead there. */
export function EditingParts({ path, editing }: { path: string; editing: Editing }): ReactElement {
  const from = useConnection(found => (found.inProgress ? `${found.fromHandle.type}\n${found.fromNode.id}` : ''));
  const [type, other = ''] = from.split('\n');
  const isPossible =
    !from || other === path || (type === 'source' ? editing.mayConnect(other, path) : editing.mayConnect(path, other));
  const mark = editing.marks.get(path);
  return (
    <>
      {!isPossible && <span className="agentnb-flow-impossible" />}
      {mark && (
        <span
          className="agentnb-flow-mark"
          data-severity={mark.severity}
          data-testid={`mark:${path}`}
          role="img"
          aria-label={`${mark.severity}: ${mark.text}`}
          title={mark.text}
        >
          !
        </span>
      )}
    </>
  );
}

interface DropHandlers {
  onDragOver?: (event: DragEvent) => void;
  onDragLeave?: () => void;
  onDrop?: (event: DragEvent) => void;
  'data-drop'?: string;
}

/** Takes what is dragged onto the canvas, and shows on which line it would come to lie. */
export function useDrops(graph: Placed, editing: Editing | undefined): DropHandlers {
  const flow = useReactFlow();
  const [over, setOver] = useState('');
  if (!editing) {
    return {};
  }
  const placeOf = (event: DragEvent): Omit<Drop, 'data'> => {
    const at = flow.screenToFlowPosition({ x: event.clientX, y: event.clientY });
    const node = graph.nodes.find(
      box => at.x >= box.x && at.y >= box.y && at.x <= box.x + box.width && at.y <= box.y + box.height,
    );
    return { node: node?.path ?? '', edge: node ? null : nearest(graph.edges, at.x, at.y) };
  };
  const show = (path: string): void => {
    if (path !== over) {
      setOver(path);
      editing.onEdge(path);
    }
  };
  return {
    'data-drop': over,
    onDragOver: event => {
      if (event.dataTransfer.types.includes(editing.accepts)) {
        event.preventDefault();
        event.dataTransfer.dropEffect = 'copy';
        show(placeOf(event).edge?.path ?? '');
      }
    },
    onDragLeave: () => show(''),
    onDrop: event => {
      event.preventDefault();
      setOver('');
      editing.onDrop({ data: event.dataTransfer.getData(editing.accepts), ...placeOf(event) });
    },
  };
}

/** The line that passes nearest to a place; null where none is near. */
export function nearest(edges: readonly PlacedEdge[], x: number, y: number): PlacedEdge | null {
  let best: PlacedEdge | null = null;
  let least = NEAR;
  for (const edge of edges) {
    for (let place = 0; place + 1 < edge.points.length; place++) {
      const [one, other] = [edge.points[place], edge.points[place + 1]];
      if (!one || !other) {
        continue;
      }
      const far = distance(x, y, one, other);
      if (far < least) {
        least = far;
        best = edge;
      }
    }
  }
  return best;
}

function distance(
  x: number,
  y: number,
  [x1, y1]: readonly [number, number],
  [x2, y2]: readonly [number, number],
): number {
  const [dx, dy] = [x2 - x1, y2 - y1];
  const share = Math.min(Math.max(((x - x1) * dx + (y - y1) * dy) / (dx * dx + dy * dy || 1), 0), 1);
  return Math.hypot(x - x1 - share * dx, y - y1 - share * dy);
}
