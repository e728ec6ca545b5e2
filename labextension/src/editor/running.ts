import { useEffect, useState } from 'react';

import { asProblem, part, type Problem } from '../api/client';
import type { RunDetail } from '../api/types';
import { EMPTY } from '../graph/state';
import type { GraphState } from '../graph/types';
import { useLive } from '../live/hooks';
import { useServices } from '../panels/services';

/** Milliseconds between two readings of a run at least. */
const PAUSE = 100;

/** A run, as the canvas shows it. */
export interface Watched {
  state: GraphState;
  run: RunDetail | null;
  deleted: boolean;
  problem: Problem | null;
}

const NOTHING: Watched = { state: EMPTY, run: null, deleted: false, problem: null };

/** Follows a run; an empty ID is none. It is read again after each of its events, and when the server is back. */
export function useWatched(runId: string): Watched {
  const { client, live } = useServices();
  const { connection, deleted } = useLive();
  const [watched, setWatched] = useState<Watched>(NOTHING);
  const isLive = connection.state === 'live';
  useEffect(() => {
    setWatched(NOTHING);
  }, [runId]);
  useEffect(() => {
    if (!runId || !isLive) {
      return undefined;
    }
    let stopped = false;
    let isReading = false;
    let again = false;
    const readIt = async (): Promise<void> => {
      again = isReading;
      if (isReading) {
        return;
      }
      isReading = true;
      try {
        const [graph, run] = await Promise.all([
          client.get<{ state: GraphState }>(`/runs/${part(runId)}/graph`),
          live.read(runId),
        ]);
        if (!stopped) {
          setWatched({ state: graph.state, run, deleted: false, problem: null });
        }
      } catch (reason) {
        const problem = asProblem(reason);
        if (!stopped) {
          setWatched(old => (problem.isMissing ? { ...old, deleted: true } : { ...old, problem }));
        }
      }
      window.setTimeout(() => {
        isReading = false;
        if (again && !stopped) {
          void readIt();
        }
      }, PAUSE);
    };
    const unwatch = live.watch(runId, () => void readIt());
    void readIt();
    return () => {
      stopped = true;
      unwatch();
    };
  }, [client, live, runId, isLive]);
  return deleted.has(runId) ? { ...watched, deleted: true } : watched;
}
