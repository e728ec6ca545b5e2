import type { GraphData, GraphEdge, GraphNode } from './types';

/** Room of an unfolded sub-workflow around its own graph. */
export const HEAD = 40;
export const PAD = 18;

type Point = [number, number];

/** A node where it is drawn; `group` is one that is unfolded, with its sub-workflow's nodes inside. */
export interface PlacedNode {
  path: string;
  node: GraphNode;
  x: number;
  y: number;
  width: number;
  height: number;
  group: boolean;
}

export interface PlacedEdge {
  path: string;
  edge: GraphEdge;
  /** Paths of its ends. */
  source: string;
  target: string;
  points: Point[];
}

export interface Placed {
  nodes: PlacedNode[];
  edges: PlacedEdge[];
  width: number;
  height: number;
}

interface Column {
  middle: number;
  left: number;
  right: number;
  /** How much wider it has become. */
  extra: number;
  /** The nodes that have grown: their old middle, and by how much. */
  grown: { at: number; by: number }[];
}

/**
 * Where everything is drawn with some sub-workflows unfolded. An unfolded node pushes its neighbours away from its middle, so that
 * nothing else moves and lines stay straight; nothing is laid out anew.
 *
 * @param data - The graph.
 * @param open - The paths of the nodes that are unfolded.
 */
export function placed(data: GraphData, open: ReadonlySet<string>, prefix = ''): Placed {
  const inner = new Map<string, Placed>();
  const sizes = new Map<string, { width: number; height: number }>();
  for (const node of data.nodes) {
    const path = prefix + node.id;
    if (node.graph && open.has(path)) {
      const part = placed(node.graph, open, `${path}/`);
      inner.set(node.id, part);
      sizes.set(node.id, {
        width: Math.max(part.width + 2 * PAD, node.width),
        height: part.height + HEAD + 2 * PAD,
      });
    }
  }
  const columns = columnsOf(data, sizes);
  const found: Placed = { nodes: [], edges: [], width: 0, height: 0 };
  const boxes = new Map<string, PlacedNode>();
  for (const node of data.nodes) {
    const { width, height } = sizes.get(node.id) ?? node;
    const column = columnAt(columns, node.x + node.width / 2);
    const middle = movedX(columns, column.left) + (column.right - column.left + column.extra) / 2;
    const y = movedY(column, node.y + node.height / 2) - height / 2;
    const box = { path: prefix + node.id, node, x: middle - width / 2, y, width, height, group: inner.has(node.id) };
    boxes.set(node.id, box);
    found.nodes.push(box);
  }
  for (const edge of data.edges) {
    const [source, target] = [boxes.get(edge.source), boxes.get(edge.target)];
    if (source && target) {
      const points = movedPoints(edge, source, target, columns);
      found.edges.push({ path: prefix + edge.id, edge, source: source.path, target: target.path, points });
    }
  }
  shift(
    found,
    0,
    -Math.min(0, ...found.nodes.map(box => box.y), ...found.edges.flatMap(edge => edge.points.map(point => point[1]))),
  );
  for (const [id, part] of inner) {
    const box = boxes.get(id);
    if (box) {
      shift(part, box.x + (box.width - part.width) / 2, box.y + HEAD + PAD);
      found.nodes.push(...part.nodes);
      found.edges.push(...part.edges);
    }
  }
  found.width = Math.max(0, ...found.nodes.map(box => box.x + box.width));
  found.height = Math.max(0, ...found.nodes.map(box => box.y + box.height), sizes.size ? 0 : data.height);
  return found;
}

/** Every node that can be unfolded. */
export function foldable(data: GraphData, prefix = ''): string[] {
  return data.nodes.flatMap(node => {
    const path = prefix + node.id;
    return node.graph ? [path, ...foldable(node.graph, `${path}/`)] : [];
  });
}

/** The nodes of a graph and of all its sub-workflows, by their path. */
export function everyNode(data: GraphData, prefix = '', found = new Map<string, GraphNode>()): Map<string, GraphNode> {
  for (const node of data.nodes) {
    const path = prefix + node.id;
    found.set(path, node);
    if (node.graph) {
      everyNode(node.graph, `${path}/`, found);
    }
  }
  return found;
}

/** The paths around a node: what must be unfolded to see it. */
export function around(path: string): string[] {
  const parts = path.split('/');
  return parts.slice(1).map((_, place) => parts.slice(0, place + 1).join('/'));
}

function columnsOf(data: GraphData, sizes: ReadonlyMap<string, { width: number; height: number }>): Column[] {
  const columns: Column[] = [];
  for (const node of [...data.nodes].sort((one, other) => one.x + one.width / 2 - other.x - other.width / 2)) {
    const middle = node.x + node.width / 2;
    let column = columns.at(-1);
    if (!column || middle - column.middle > 1) {
      column = { middle, left: node.x, right: node.x + node.width, extra: 0, grown: [] };
      columns.push(column);
    }
    column.left = Math.min(column.left, node.x);
    column.right = Math.max(column.right, node.x + node.width);
  }
  for (const node of data.nodes) {
    const size = sizes.get(node.id);
    if (size) {
      const column = columnAt(columns, node.x + node.width / 2);
      column.extra = Math.max(column.extra, size.width - (column.right - column.left));
      column.grown.push({ at: node.y + node.height / 2, by: size.height - node.height });
    }
  }
  return columns;
}

function columnAt(columns: readonly Column[], middle: number): Column {
  let [low, high] = [0, columns.length - 1];
  while (low < high) {
    const place = (low + high) >> 1;
    if ((columns[place]?.middle ?? 0) < middle - 1) {
      low = place + 1;
    } else {
      high = place;
    }
  }
  return columns[low] ?? { middle, left: middle, right: middle, extra: 0, grown: [] };
}

/** Where a place between columns, or at the side of one, is after those to the left have grown. */
function movedX(columns: readonly Column[], x: number): number {
  return columns.reduce(
    (sum, column) => (column.extra && column.right <= x + 0.5 && column.left < x ? sum + column.extra : sum),
    x,
  );
}

function movedY(column: Column, y: number): number {
  return column.grown.reduce(
    (sum, { at, by }) => (Math.abs(y - at) < 0.5 ? sum : sum + Math.sign(y - at) * (by / 2)),
    y,
  );
}

function movedPoints(edge: GraphEdge, source: PlacedNode, target: PlacedNode, columns: readonly Column[]): Point[] {
  const [left, right] = edge.backward ? [target, source] : [source, target];
  const inner = edge.points.slice(1, -1).map(([x, y]): Point => {
    const column = columns.find(one => Math.abs(one.left - x) < 0.5 || Math.abs(one.right - x) < 0.5);
    return [movedX(columns, x), column ? movedY(column, y) : y];
  });
  const [first, last] = [edge.points[0]?.[1] ?? 0, edge.points.at(-1)?.[1] ?? 0];
  const leaves: Point = [left.x + left.width, middleOf(left) + first - middleOf(left.node)];
  const arrives: Point = [right.x, middleOf(right) + last - middleOf(right.node)];
  return [
    ...straight(leaves, sideOf(columns, left, 'right')),
    ...inner,
    ...straight(arrives, sideOf(columns, right, 'left')),
  ];
}

function middleOf(box: { y: number; height: number }): number {
  return box.y + box.height / 2;
}

/** Where a column that has grown ends: a line bends beyond, so that it passes behind no neighbour that is unfolded. */
function sideOf(columns: readonly Column[], box: PlacedNode, side: 'left' | 'right'): number {
  const column = columnAt(columns, box.node.x + box.node.width / 2);
  const start = movedX(columns, column.left);
  const edge = side === 'left' ? box.x : box.x + box.width;
  if (!column.extra) {
    return edge;
  }
  return side === 'left' ? start : start + column.right - column.left + column.extra;
}

/** A line's end at a box, with the straight piece up to the side of the box's column. */
function straight([x, y]: Point, side: number): Point[] {
  if (Math.abs(side - x) < 1) {
    return [[x, y]];
  }
  const outer: Point = [side, y];
  return side > x ? [[x, y], outer, outer] : [outer, outer, [x, y]];
}

function shift(part: Placed, x: number, y: number): void {
  for (const box of part.nodes) {
    box.x += x;
    box.y += y;
  }
  for (const edge of part.edges) {
    edge.points = edge.points.map(([one, other]) => [one + x, other + y]);
  }
}
