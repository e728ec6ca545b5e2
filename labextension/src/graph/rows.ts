import type { GraphData, GraphNode, GraphState, NodeState, NodeStatus } from './types';

/** A step in the timeline and in the table. */
export interface Row {
  path: string;
  node: GraphNode;
  state: NodeState | undefined;
  depth: number;
}

/** The steps in their order; those of a sub-workflow below its step, where that is unfolded. */
export function rowsOf(
  data: GraphData,
  state: GraphState,
  open: ReadonlySet<string>,
  found: ReadonlySet<string> | null,
  prefix = '',
  depth = 0,
): Row[] {
  const ordered = [...data.nodes].sort((one, other) => middle(one) - middle(other) || one.y - other.y);
  return ordered.flatMap(node => {
    const path = prefix + node.id;
    const own = !found || found.has(path) ? [{ path, node, state: state.steps[path], depth }] : [];
    const inner = node.graph && open.has(path) ? rowsOf(node.graph, state, open, found, `${path}/`, depth + 1) : [];
    return [...own, ...inner];
  });
}

function middle(node: GraphNode): number {
  return Math.round(node.x + node.width / 2);
}

export type Column = 'name' | 'status' | 'start' | 'duration' | 'tokens';

const ORDER: NodeStatus[] = [
  'failed',
  'waiting',
  'running',
  'cancelled',
  'stale',
  'queued',
  'completed',
  'replayed',
  'skipped',
];

/** The rows by a column, steps of equal rank in their order. */
export function sorted(rows: readonly Row[], column: Column, down: boolean): Row[] {
  const key = keys[column];
  const sign = down ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [first, second] = [key(one), key(other)];
    return sign * (typeof first === 'string' ? first.localeCompare(String(second)) : first - Number(second));
  });
}

const keys: Record<Column, (row: Row) => number | string> = {
  name: row => row.node.title,
  status: row => ORDER.indexOf(row.state?.status ?? 'queued'),
  start: row => row.state?.started_at ?? Number.MAX_SAFE_INTEGER,
  duration: row => row.state?.duration_ms ?? 0,
  tokens: row => row.state?.tokens ?? 0,
};

/** The paths of the nodes that the search means: by name, kind, status, or what the step names. Null without a search. */
export function matches(
  nodes: ReadonlyMap<string, GraphNode>,
  state: GraphState,
  search: string,
): ReadonlySet<string> | null {
  const words = search.toLowerCase().split(/\s+/).filter(Boolean);
  if (!words.length) {
    return null;
  }
  const found = new Set<string>();
  for (const [path, node] of nodes) {
    const text = [path, node.title, node.kind, node.detail, state.steps[path]?.status ?? ''].join(' ').toLowerCase();
    if (words.every(word => text.includes(word))) {
      found.add(path);
    }
  }
  return found;
}
