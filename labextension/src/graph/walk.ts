import type { Placed, PlacedNode } from './place';

export type Direction = 'left' | 'right' | 'up' | 'down';

/**
 * The node that an arrow key leads to: along a line where there is one, else the nearest in that direction; the first one where none is
 * chosen; the same where there is no other.
 */
export function neighbour(graph: Placed, path: string, direction: Direction): string {
  const from = graph.nodes.find(box => box.path === path);
  if (!from) {
    return graph.nodes[0]?.path ?? '';
  }
  const others = graph.nodes.filter(box => box !== from && isThere(from, box, direction));
  const linked = new Set(
    graph.edges.flatMap(edge => (edge.source === path ? [edge.target] : edge.target === path ? [edge.source] : [])),
  );
  const along = direction === 'left' || direction === 'right' ? others.filter(box => linked.has(box.path)) : [];
  return nearest(from, along.length ? along : others, direction)?.path ?? path;
}

function isThere(from: PlacedNode, box: PlacedNode, direction: Direction): boolean {
  const [dx, dy] = [middle(box)[0] - middle(from)[0], middle(box)[1] - middle(from)[1]];
  switch (direction) {
    case 'left':
      return dx < -1;
    case 'right':
      return dx > 1;
    case 'up':
      return dy < -1;
    case 'down':
      return dy > 1;
  }
}

function nearest(from: PlacedNode, boxes: PlacedNode[], direction: Direction): PlacedNode | undefined {
  const flat = direction === 'left' || direction === 'right';
  const far = (box: PlacedNode): number => {
    const [dx, dy] = [Math.abs(middle(box)[0] - middle(from)[0]), Math.abs(middle(box)[1] - middle(from)[1])];
    return flat ? dx + 2 * dy : dy + 3 * dx;
  };
  let best: PlacedNode | undefined;
  for (const box of boxes) {
    if (!best || far(box) < far(best)) {
      best = box;
    }
  }
  return best;
}

function middle(box: PlacedNode): [number, number] {
  return [box.x + box.width / 2, box.y + box.height / 2];
}
