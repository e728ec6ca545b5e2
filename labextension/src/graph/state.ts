import { count, duration } from './format';
import { elapsed, statusWord } from './status';
import type { GraphChanges, GraphNode, GraphState, NodeState } from './types';

export const EMPTY: GraphState = { run: null, steps: {}, taken: {}, current: [] };

/** The state with the changes in it; what didn't change stays the same object. */
export function merged(state: GraphState, changes: GraphChanges): GraphState {
  return {
    run: changes.run === undefined ? state.run : changes.run,
    steps: changes.steps ? { ...state.steps, ...changes.steps } : state.steps,
    taken: changes.taken ? { ...state.taken, ...changes.taken } : state.taken,
    current: changes.current ?? state.current,
  };
}

/** The second line of a box: `2× · 1.2 s`, `3/10 · 2 failed`, `waiting · 4.0 s`. A status that goes without saying isn't said. */
export function secondLine(node: GraphNode, state: NodeState | undefined, now: number): string {
  if (!state) {
    return node.detail;
  }
  const spent = elapsed(state, now);
  const time = spent >= 1 || state.status === 'running' ? duration(spent) : '';
  const items = state.items ? `${String(state.items.done)}/${String(state.items.total)}` : '';
  const failed = state.items?.failed && state.status !== 'failed' ? `${String(state.items.failed)} failed` : '';
  const word = statusWord(state);
  const silent =
    (word === 'completed' && (time || items)) ||
    (word === 'replayed' && time) ||
    (state.status === 'running' && items) ||
    (word === 'completed' && state.visits);
  const times = (state.visits ?? 0) > 1 ? state.visits : state.attempts;
  const again = times && times > 1 ? `${String(times)}×` : '';
  const said = [silent ? '' : word, again].filter(Boolean).join(' ');
  const tokens = state.tokens && state.status === 'completed' ? `${count(state.tokens)} tokens` : '';
  return [said, items, failed, time, tokens].filter(Boolean).slice(0, 3).join(' · ') || word;
}

/** What a screen reader says of a node. */
export function spoken(node: GraphNode, state: NodeState | undefined, now: number): string {
  const parts = [node.title, node.kind === 'state' ? '' : node.kind];
  if (state) {
    parts.push(
      statusWord(state),
      state.items ? `${String(state.items.done)} of ${String(state.items.total)} items` : '',
    );
    const spent = elapsed(state, now);
    parts.push(spent ? duration(spent) : '', state.asks ? `asks ${state.asks}` : '', state.error ?? '');
  }
  return parts.filter(Boolean).join(', ');
}
