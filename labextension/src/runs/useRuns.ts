import { useCallback, useEffect, useMemo, useState } from 'react';

import { Problem } from '../api/client';
import { Run, RunPage } from '../api/types';
import { useLive, useLoaded } from '../live/hooks';
import { newestFirst } from '../live/runs';
import { useServices } from '../panels/services';
import { Filter } from './filter';

/** Runs that are read at once. */
const PAGE = 100;

export interface FoundRuns {
  /** Those that pass the filter, newest first. */
  runs: Run[];
  /** Whether the first answer has not come yet. */
  loading: boolean;
  problem: Problem | null;
  /** Reads older ones; null where there are none. */
  more: (() => void) | null;
  reload: () => void;
}

/** The runs that pass a filter: those that are known, and those that the server finds. */
export function useRuns(filter: Filter): FoundRuns {
  const { client, live } = useServices();
  const { runs } = useLive();
  const query = useMemo(() => ({ ...filter.query }), [JSON.stringify(filter.query)]); // eslint-disable-line react-hooks/exhaustive-deps
  const [older, setOlder] = useState<{ query: object; next: string; horizon: string } | null>(null);
  const load = useCallback(
    async (signal: AbortSignal) => {
      const page = await client.get<RunPage>('/runs', { ...query, limit: PAGE }, signal);
      live.learn(page.runs);
      return { query, page };
    },
    [client, live, query],
  );
  const { value, problem, reload } = useLoaded(load);
  const current = value?.query === query ? value.page : null;
  useEffect(() => setOlder(null), [query]);
  const next = older?.query === query ? older.next : (current?.next ?? '');
  const horizon = older?.query === query ? older.horizon : (current?.runs.at(-1)?.started_at ?? '');
  const more = useCallback(() => {
    client.get<RunPage>('/runs', { ...query, limit: PAGE, cursor: next }).then(
      page => {
        live.learn(page.runs);
        setOlder({ query, next: page.next, horizon: page.runs.at(-1)?.started_at ?? '' });
      },
      () => undefined, // the line above the panel says that the server does not answer; scrolling asks again
    );
  }, [client, live, query, next]);
  const found = useMemo(() => {
    // Older than what was read there may be gaps.
    const whole = (run: Run): boolean => !next || run.started_at >= horizon;
    return [...runs.values()].filter(run => whole(run) && filter.accepts(run)).sort(newestFirst);
  }, [runs, filter, next, horizon]);
  return { runs: found, loading: current === null && !problem, problem, more: next ? more : null, reload };
}
