import type { GraphState, NodeState, NodeStatus, RunState } from './types';

/** A status as a word for people. */
export function statusWord(state: NodeState): string {
  if (state.reason === 'timed_out') {
    return 'timed out';
  }
  if (state.status === 'queued' && state.attempts) {
    return 'tries again';
  }
  return state.outcome && state.status === 'completed' ? state.outcome : state.status;
}

/** Whether a step's time still runs. */
export function isTicking(state: NodeState | undefined): boolean {
  return state?.status === 'running' || state?.status === 'waiting';
}

/** How long a step took, or has taken by now; 0 where that is unknown. */
export function elapsed(state: NodeState, now: number): number {
  return isTicking(state) && state.started_at ? Math.max(now - state.started_at, 0) : (state.duration_ms ?? 0);
}

/** How long a run took, or takes so far; null while it doesn't work: it is queued, or waits for somebody. */
export function runElapsed(run: RunState, now: number): number | null {
  if (!run.ended_at && run.status !== 'running') {
    return null;
  }
  return Math.max((run.ended_at || now) - run.started_at, 0);
}

/** Whether nothing happens to a run any more unless somebody does something. */
export function hasEnded(run: RunState): boolean {
  return run.status === 'completed' || run.status === 'failed' || run.status === 'cancelled';
}

/** How many steps there are of each status, the steps of sub-workflows left out. */
export function counts(state: GraphState): Partial<Record<NodeStatus, number>> {
  const found: Partial<Record<NodeStatus, number>> = {};
  for (const [path, step] of Object.entries(state.steps)) {
    if (!path.includes('/')) {
      found[step.status] = (found[step.status] ?? 0) + 1;
    }
  }
  return found;
}

/** The paths of the steps that somebody is asked about. */
export function asking(state: GraphState): string[] {
  return Object.keys(state.steps).filter(path => {
    const step = state.steps[path];
    return (step?.status === 'waiting' && Boolean(step.asks)) || Boolean(step?.items?.waiting);
  });
}
