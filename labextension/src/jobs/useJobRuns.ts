import { useMemo } from 'react';

import { Job, LastRun } from '../api/types';
import { useLive } from '../live/hooks';
import { isFinal, tookMs } from '../live/runs';

const MOST = 20;

/** The last runs of jobs by name, newest first, as far as the page has heard of them. */
export function useJobRuns(): ReadonlyMap<string, readonly LastRun[]> {
  const { runs } = useLive();
  return useMemo(() => {
    const found = new Map<string, LastRun[]>();
    for (const run of runs.values()) {
      if (run.kind === 'job') {
        const { id, status, reason, started_at } = run;
        const last = { id, status, reason, started_at, duration_ms: isFinal(status) ? tookMs(run, 0) : null };
        found.set(run.name, [...(found.get(run.name) ?? []), last]);
      }
    }
    return found;
  }, [runs]);
}

/** The last runs of a job: those of the page, and those that the server told of. */
export function lastRuns(job: Job, live: readonly LastRun[] = []): LastRun[] {
  const found = new Map([...job.last_runs, ...live].map(run => [run.id, run]));
  return [...found.values()].sort((a, b) => (a.started_at < b.started_at ? 1 : -1)).slice(0, MOST);
}
