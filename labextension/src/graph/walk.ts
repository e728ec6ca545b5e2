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

/**
 * The line that comes next among those of a node, first those that leave it; among all where there is none of that name or it has no lines.
 *
 * @param line - The line to go on from; the first one where it is none of them.
 * @param by - 1, or -1 for the one before.
 */
export function nextLine(graph: Placed, path: string, line: string, by = 1): string {
  const leaving = graph.edges.filter(edge => edge.source === path);
  const arriving = graph.edges.filter(edge => edge.target === path && edge.source !== path);
  const lines = leaving.length + arriving.length ? [...leaving, ...arriving] : graph.edges;
  const place = lines.findIndex(edge => edge.path === line);
  return lines.at(place < 0 ? 0 : (place + by) % lines.length)?.path ?? '';
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
