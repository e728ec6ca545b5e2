import { useCallback, useMemo } from 'react';

import { Run, RunPage } from '../api/types';
import { useLive, useLoaded } from '../live/hooks';
import { newestFirst } from '../live/runs';
import { useServices } from '../panels/services';

const MOST = 100;

/** The runs that a run of a job has begun, newest first, live; none of other kinds of runs. */
export function useBegun(run: Run | null): Run[] {
  const { client, live } = useServices();
  const id = run?.kind === 'job' ? run.id : '';
  const load = useCallback(
    async (signal: AbortSignal) => {
      if (id) {
        live.learn((await client.get<RunPage>('/runs', { job: id, limit: MOST }, signal)).runs);
      }
      return true;
    },
    [client, live, id],
  );
  useLoaded(load);
  const { runs } = useLive();
  return useMemo(
    () => (id ? [...runs.values()].filter(one => one.job === id && !one.parent).sort(newestFirst) : []),
    [runs, id],
  );
}
