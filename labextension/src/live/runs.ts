import { JournalEvent, Run, RunStatus } from '../api/types';

export type Runs = ReadonlyMap<string, Run>;

const FINAL: readonly string[] = ['completed', 'failed', 'cancelled'];

/** What an event of a run says about the run itself. */
const STATUS_AFTER: Readonly<Record<string, RunStatus>> = {
  'agent.executing': 'running',
  'agent.resumed': 'running',
  'agent.executed': 'completed',
  'agent.failed': 'failed',
  'agent.approval_requested': 'waiting',
  'agent.approval_answered': 'running',
  'job.started': 'running',
  'job.completed': 'completed',
  'job.failed': 'failed',
  'workflow.started': 'running',
  'workflow.resumed': 'running',
  'workflow.completed': 'completed',
  'workflow.failed': 'failed',
  'workflow.suspended': 'waiting',
  'workflow.step_waiting': 'waiting',
  'workflow.step_answered': 'running',
};

/** Whether a run has come to its end. */
export function isFinal(status: string): boolean {
  return FINAL.includes(status);
}

/**
 * The runs with these in their new state; the same object where nothing has changed.
 *
 * @param runs - Those known before.
 * @param found - As the server has just told them.
 */
export function withRuns(runs: Runs, found: readonly Run[]): Runs {
  const changed = found.filter(run => JSON.stringify(runs.get(run.id)) !== JSON.stringify(run));
  if (!changed.length) {
    return runs;
  }
  const result = new Map(runs);
  changed.forEach(run => result.set(run.id, run));
  return result;
}

/** The runs without some that are gone. */
export function withoutRuns(runs: Runs, ids: Iterable<string>): Runs {
  const result = new Map(runs);
  let changed = false;
  for (const id of ids) {
    changed = result.delete(id) || changed;
  }
  return changed ? result : runs;
}

/**
 * The runs after events, as far as the events tell; the rest is read from the server.
 *
 * @param runs - Those known before; events of others change nothing.
 */
export function afterEvents(runs: Runs, events: readonly JournalEvent[]): Runs {
  let result: Map<string, Run> | null = null;
  for (const event of events) {
    const run = (result ?? runs).get(event.run_id);
    let status = STATUS_AFTER[event.type];
    if (status === 'failed' && event.data.status === 'cancelled') {
      status = 'cancelled';
    }
    if (!run || !status || run.status === status || isFinal(run.status)) {
      continue;
    }
    const ended = isFinal(status) && typeof event.data.timestamp === 'string' ? event.data.timestamp : '';
    result ??= new Map(runs);
    result.set(run.id, { ...run, status, ended_at: ended });
  }
  return result ?? runs;
}

/** Newest first; of those that began at the same time, by their ID. */
export function newestFirst(a: Run, b: Run): number {
  if (a.started_at !== b.started_at) {
    return a.started_at < b.started_at ? 1 : -1;
  }
  return a.id < b.id ? 1 : -1;
}

/** How long a run took, or takes so far, in milliseconds; null while it doesn't work: it is queued, or waits for somebody. */
export function tookMs(run: Run, now: number): number | null {
  if (!run.ended_at && (run.status === 'queued' || run.status === 'waiting')) {
    return null;
  }
  return Math.max(0, (run.ended_at ? Date.parse(run.ended_at) : now) - Date.parse(run.started_at));
}
