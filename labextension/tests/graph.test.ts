import { describe, expect, it } from 'vitest';

import { curve, head } from '../src/graph/curve';
import { count, duration, numbers } from '../src/graph/format';
import { around, everyNode, foldable, HEAD, PAD, placed, type Placed } from '../src/graph/place';
import { cardOf, left } from '../src/graph/question';
import { matches, rowsOf, sorted } from '../src/graph/rows';
import { EMPTY, merged, secondLine, spoken } from '../src/graph/state';
import { asking, counts, elapsed, runElapsed, statusWord } from '../src/graph/status';
import { ticks } from '../src/graph/Timeline';
import type { GraphData, GraphNode, GraphState, NodeState } from '../src/graph/types';
import { neighbour, nextLine } from '../src/graph/walk';

function node(id: string, x: number, y: number, more: Partial<GraphNode> = {}): GraphNode {
  return { id, title: id, kind: 'tool', detail: `tool ${id}`, hint: '', x, y, width: 100, height: 40, ...more };
}

function line(source: string, target: string, ...points: [number, number][]): GraphData['edges'][number] {
  return { id: `${source}→${target}`, source, target, points };
}

const INNER: GraphData = {
  name: 'inner',
  description: '',
  kind: 'dag',
  width: 250,
  height: 40,
  nodes: [node('x', 0, 0), node('y', 150, 0)],
  edges: [line('x', 'y', [100, 20], [150, 20])],
  left_out: 0,
};

/** a before b, s and c, which stand above one another, before d; one line goes from a to d between b and s. */
const DATA: GraphData = {
  name: 'outer',
  description: '',
  kind: 'dag',
  width: 400,
  height: 160,
  nodes: [
    node('a', 0, 60),
    node('b', 150, 0),
    node('s', 150, 60, { kind: 'workflow', graph: INNER }),
    node('c', 150, 120),
    node('d', 300, 60),
  ],
  edges: [
    line('a', 's', [100, 80], [150, 80]),
    line('s', 'd', [250, 80], [300, 80]),
    line('a', 'b', [100, 80], [150, 20]),
    line('a', 'd', [100, 80], [150, 50], [250, 50], [300, 80]),
  ],
  left_out: 0,
};

const NOW = 1_000_000;

function states(steps: Record<string, NodeState>): GraphState {
  return { ...EMPTY, steps };
}

describe('placed', () => {
  const folded = placed(DATA, new Set());
  const open = placed(DATA, new Set(['s']));

  it('is the drawing where nothing is unfolded', () => {
    expect(folded.nodes.map(({ x, y }) => [x, y])).toEqual(DATA.nodes.map(({ x, y }) => [x, y]));
    expect(folded.edges.map(edge => edge.points)).toEqual(DATA.edges.map(edge => edge.points));
    expect([folded.width, folded.height]).toEqual([400, 160]);
  });

  it('puts a sub-workflow inside its step', () => {
    expect(open.nodes.map(box => box.path)).toEqual(['a', 'b', 's', 'c', 'd', 's/x', 's/y']);
    const [outer, inner] = [at(open, 's'), at(open, 's/x')];
    expect([outer.group, inner.group]).toEqual([true, false]);
    expect([outer.width, outer.height]).toEqual([250 + 2 * PAD, 40 + HEAD + 2 * PAD]);
    expect([inner.x - outer.x, inner.y - outer.y]).toEqual([PAD, HEAD + PAD]);
    expect(open.edges.at(-1)?.points[0]).toEqual([inner.x + 100, inner.y + 20]);
  });

  it('moves what is beside it, and keeps lines straight', () => {
    for (const one of open.nodes) {
      for (const other of open.nodes) {
        if (one !== other && !one.path.startsWith('s') && !other.path.startsWith('s/')) {
          expect(overlap(one, other), `${one.path} ${other.path}`).toBe(false);
        }
      }
    }
    const middles = ['a', 's', 'd'].map(path => at(open, path).y + at(open, path).height / 2);
    expect(new Set(middles).size).toBe(1);
  });

  it('leads lines around it', () => {
    const box = at(open, 's');
    for (const { source, target, points } of open.edges) {
      if (!source.startsWith('s') && target !== 's') {
        for (const [x, y] of points) {
          expect(x > box.x && x < box.x + box.width && y > box.y && y < box.y + box.height).toBe(false);
        }
      }
    }
    const toB = open.edges.find(edge => edge.path === 'a→b');
    expect(toB?.points).toHaveLength(4);
    expect(toB?.points[1]?.[0]).toBeLessThanOrEqual(box.x);
    expect(toB?.points.at(-1)).toEqual([at(open, 'b').x, at(open, 'b').y + 20]);
  });

  it('finds nodes by their paths', () => {
    expect(foldable(DATA)).toEqual(['s']);
    expect([...everyNode(DATA).keys()]).toContain('s/x');
    expect(around('s/t/x')).toEqual(['s', 's/t']);
    expect(around('a')).toEqual([]);
  });

  it('takes a graph without anything', () => {
    expect(placed({ ...DATA, nodes: [], edges: [], height: 0 }, new Set())).toMatchObject({ width: 0, height: 0 });
  });
});

function at(graph: Placed, path: string): Placed['nodes'][number] {
  const found = graph.nodes.find(box => box.path === path);
  if (!found) {
    throw new Error(`no ${path}`);
  }
  return found;
}

function overlap(one: Placed['nodes'][number], other: Placed['nodes'][number]): boolean {
  return (
    one.x < other.x + other.width &&
    other.x < one.x + one.width &&
    one.y < other.y + other.height &&
    other.y < one.y + one.height
  );
}

describe('the state', () => {
  it('keeps what did not change', () => {
    const before: GraphState = {
      ...EMPTY,
      steps: { a: { status: 'running' }, b: { status: 'queued' } },
      current: ['a'],
    };
    const after = merged(before, { steps: { b: { status: 'running' } } });
    expect(after.steps.a).toBe(before.steps.a);
    expect(after.current).toBe(before.current);
    expect(after.steps.b?.status).toBe('running');
    expect(merged(before, { current: [] }).current).toEqual([]);
  });

  it.each<[NodeState | undefined, string]>([
    [undefined, 'tool a'],
    [{ status: 'queued' }, 'queued'],
    [{ status: 'queued', attempts: 2 }, 'tries again 2×'],
    [{ status: 'running', started_at: NOW - 4000 }, 'running · 4.0 s'],
    [{ status: 'completed', duration_ms: 1234, tokens: 1200 }, '1.2 s · 1.2k tokens'],
    [{ status: 'completed' }, 'completed'],
    [{ status: 'completed', duration_ms: 820, attempts: 2 }, '2× · 820 ms'],
    [{ status: 'completed', outcome: 'approved', duration_ms: 820 }, 'approved · 820 ms'],
    [{ status: 'running', started_at: NOW, items: { total: 10, done: 3, failed: 2 } }, '3/10 · 2 failed · 0 ms'],
    [{ status: 'failed', duration_ms: 5, reason: 'timed_out' }, 'timed out · 5 ms'],
    [{ status: 'replayed', duration_ms: 5 }, '5 ms'],
    [{ status: 'completed', visits: 3 }, '3×'],
  ])('says %j as %s', (state, said) => {
    expect(secondLine(node('a', 0, 0), state, NOW)).toBe(said);
  });

  it('has no time of the whole while it only waits', () => {
    const run = {
      seq: 1,
      id: 'r',
      name: 'r',
      reason: '',
      started_at: NOW - 4000,
      ended_at: 0,
      error: null,
      parent: '',
      usage: {},
      path: [],
    };
    expect(runElapsed({ ...run, status: 'waiting' }, NOW)).toBeNull();
    expect(runElapsed({ ...run, status: 'running' }, NOW)).toBe(4000);
    expect(runElapsed({ ...run, status: 'failed', ended_at: NOW - 1000 }, NOW)).toBe(3000);
  });

  it('is spoken with its status, as colour alone says nothing', () => {
    const state: NodeState = { status: 'waiting', started_at: NOW - 2000, asks: 'ann' };
    expect(spoken(node('a', 0, 0), state, NOW)).toBe('a, tool, waiting, 2.0 s, asks ann');
    expect(statusWord({ status: 'failed', reason: 'error' })).toBe('failed');
  });

  it('counts, and knows who is asked', () => {
    const state = states({
      a: { status: 'completed' },
      b: { status: 'waiting', asks: 'ann' },
      c: { status: 'waiting' },
      'c/x': { status: 'waiting', asks: 'somebody' },
      d: { status: 'running', items: { total: 2, done: 0, failed: 0, waiting: 1 } },
    });
    expect(counts(state)).toEqual({ completed: 1, waiting: 2, running: 1 });
    expect(asking(state)).toEqual(['b', 'c/x', 'd']);
    expect(elapsed({ status: 'completed', started_at: 1, duration_ms: 7 }, NOW)).toBe(7);
  });
});

describe('rows', () => {
  const state = states({ s: { status: 'failed', duration_ms: 5 }, a: { status: 'completed', duration_ms: 9 } });

  it('are in order, with those of unfolded sub-workflows', () => {
    expect(rowsOf(DATA, state, new Set(), null).map(row => row.path)).toEqual(['a', 'b', 's', 'c', 'd']);
    const open = rowsOf(DATA, state, new Set(['s']), null);
    expect(open.map(row => `${row.path} ${String(row.depth)}`)).toContain('s/x 1');
    expect(rowsOf(DATA, state, new Set(['s']), new Set(['s/y'])).map(row => row.path)).toEqual(['s/y']);
  });

  it('are sorted by a column', () => {
    const rows = rowsOf(DATA, state, new Set(), null);
    expect(sorted(rows, 'status', false)[0]?.path).toBe('s');
    expect(sorted(rows, 'duration', true)[0]?.path).toBe('a');
    expect(sorted(rows, 'name', true)[0]?.path).toBe('s');
  });

  it('are found by every word: name, kind, status', () => {
    const nodes = everyNode(DATA);
    expect(matches(nodes, state, '  ')).toBeNull();
    expect([...(matches(nodes, state, 'FAILED workflow') ?? [])]).toEqual(['s']);
    expect([...(matches(nodes, state, 's/') ?? [])]).toEqual(['s/x', 's/y']);
    expect(matches(nodes, state, 'nowhere')?.size).toBe(0);
  });
});

describe('a question', () => {
  it('is another one in each visit of a state, though it asks the same', () => {
    const question = {
      step: 'REVIEW',
      kind: 'human',
      ticket: 'human.1.abc',
      form: null,
      assignee: '',
      prompt: '?',
      shown: '',
      verdicts: [],
      due: 0,
    };
    const visit = (step: string) =>
      cardOf({ path: 'REVIEW', part: '', status: 'waiting', parts: [], run: 'r', step, question });
    expect(visit('REVIEW@1')).toBe(visit('REVIEW@1'));
    expect(visit('REVIEW@2')).not.toBe(visit('REVIEW@1'));
  });
});

describe('arrow keys', () => {
  const graph = placed(DATA, new Set());
  it.each<[string, 'left' | 'right' | 'up' | 'down', string]>([
    ['', 'right', 'a'],
    ['a', 'right', 's'],
    ['s', 'up', 'b'],
    ['s', 'down', 'c'],
    ['s', 'right', 'd'],
    ['c', 'left', 'a'],
    ['d', 'right', 'd'],
  ])('from %s go %s to %s', (from, direction, to) => {
    expect(neighbour(graph, from, direction)).toBe(to);
  });
});

describe('the lines of a step', () => {
  const graph = placed(DATA, new Set());
  it('are gone through in a circle, those that leave it first', () => {
    const seen = ['s→d', 'a→s', 's→d'];
    expect([nextLine(graph, 's', ''), nextLine(graph, 's', 's→d'), nextLine(graph, 's', 'a→s')]).toEqual(seen);
    expect(nextLine(graph, 's', 's→d', -1)).toBe('a→s');
  });

  it('are all lines where no step is chosen', () => {
    expect(nextLine(graph, '', '')).toBe(graph.edges[0]?.path);
    expect(nextLine({ ...graph, edges: [] }, 's', '')).toBe('');
  });
});

describe('lines and numbers', () => {
  it('draws curves and points', () => {
    expect(
      curve([
        [0, 0],
        [10, 20],
      ]),
    ).toBe('M0.0 0.0C5.0 0.0 5.0 20.0 10.0 20.0');
    expect(
      curve([
        [0, 0],
        [10, 20],
        [20, 20],
        [30, 0],
      ]),
    ).toContain('L20.0 20.0C');
    expect(
      head([
        [0, 0],
        [10, 20],
      ]),
    ).toBe('M4.0 16.0l5.5 4-5.5 4');
    expect(
      head(
        [
          [0, 0],
          [10, 20],
        ],
        true,
      ),
    ).toBe('M6.0 -4.0l-5.5 4 5.5 4');
  });

  it('writes numbers as people read them', () => {
    expect([820, 12_400, 59_960, 185_000, 7_380_000].map(duration)).toEqual([
      '820 ms',
      '12.4 s',
      '1 m 00 s',
      '3 m 05 s',
      '2 h 03 m',
    ]);
    expect([999, 1200, 3_400_000].map(count)).toEqual(['999', '1.2k', '3.4M']);
    expect(numbers([1, 3])).toBe('1, 3');
    expect(numbers([1, 2, 3, 4, 5, 9])).toBe('1, 2, 3, …, 9');
    expect(left(NOW + 245_000, NOW)).toBe('4 m 05 s left');
    expect(left(NOW - 5, NOW)).toBe('0 s left');
  });

  it('has a few round ticks', () => {
    expect(ticks(10_400)).toEqual([5000]);
    expect(ticks(1000)).toEqual([200, 400, 600, 800]);
    expect(ticks(0.5).length).toBeLessThan(10);
  });
});
