import { useCallback, useEffect, useMemo, useRef, useState, useSyncExternalStore } from 'react';

import { asProblem, part, Problem } from '../api/client';
import { EventPage, JournalEvent, Run, RunDetail } from '../api/types';
import { useServices } from '../panels/services';
import { LiveState } from './live';
import { isFinal } from './runs';
import { settled, Steps, withEvents } from './steps';

/** What all panels know of the runs, as it changes. */
export function useLive(): LiveState {
  const { live } = useServices();
  return useSyncExternalStore(live.subscribe, live.state);
}

interface Found<T> {
  value: T | null;
  problem: Problem | null;
}

/** Something that is read from the server. */
export interface Loaded<T> extends Found<T> {
  reload: () => void;
}

/**
 * Reads something from the server, and again where what it depends on changes, the server is back, or `reload` is called; the old value
 * stays until the new one is there.
 *
 * @param load - Reads it; a new function means something else.
 */
export function useLoaded<T>(load: (signal: AbortSignal) => Promise<T>): Loaded<T> {
  const [found, setFound] = useState<Found<T>>({ value: null, problem: null });
  const [times, setTimes] = useState(0);
  const back = useReturns();
  useEffect(() => {
    const stop = new AbortController();
    load(stop.signal).then(
      value => !stop.signal.aborted && setFound({ value, problem: null }),
      (reason: unknown) => !stop.signal.aborted && setFound(old => afterFailure(old, asProblem(reason))),
    );
    return () => stop.abort();
  }, [load, times, back]);
  const reload = useCallback(() => setTimes(old => old + 1), []);
  return { ...found, reload };
}

/** That the server is gone is said above the panel; what is shown stays. */
function afterFailure<T>(old: Found<T>, problem: Problem): Found<T> {
  return old.value !== null && problem.isGone ? old : { ...old, problem };
}

/** How often the connection was lost and is there again. */
function useReturns(): number {
  const { connection } = useLive();
  const [returns, setReturns] = useState(0);
  const wasLost = useRef(false);
  useEffect(() => {
    if (connection.state === 'lost') {
      wasLost.current = true;
    } else if (connection.state === 'live' && wasLost.current) {
      wasLost.current = false;
      setReturns(old => old + 1);
    }
  }, [connection]);
  return returns;
}

/** One run, live. */
export interface Followed {
  run: Run | null;
  detail: RunDetail | null;
  steps: Steps;
  events: readonly JournalEvent[];
  /** Whether all events so far are there. */
  complete: boolean;
  deleted: boolean;
  problem: Problem | null;
  reload: () => void;
}

/** Events that are read at once. */
const PAGE = 500;

/** Follows a run: what it is, its steps and its events, from the first on. */
export function useRun(runId: string): Followed {
  const { live } = useServices();
  const { runs, deleted } = useLive();
  const run = runs.get(runId) ?? null;
  const { events, steps: found, complete, problem: eventsProblem, last } = useEvents(runId);
  const status = run?.status ?? '';
  // Read anew where the run comes to another state, or asks something else.
  const load = useCallback(() => live.read(runId), [live, runId, status, last]); // eslint-disable-line react-hooks/exhaustive-deps
  const { value: detail, problem, reload } = useLoaded(load);
  const steps = useMemo(
    () => (run && isFinal(run.status) ? settled(found, run.ended_at || run.started_at) : found),
    [found, run],
  );
  return {
    run,
    detail,
    steps,
    events,
    complete,
    deleted: deleted.has(runId),
    problem: problem ?? eventsProblem,
    reload,
  };
}

/** Events that change what a run waits for. */
const ASKING = /(approval_requested|approval_answered|step_waiting|step_answered)$/;

interface RunEvents {
  events: readonly JournalEvent[];
  steps: Steps;
  complete: boolean;
  problem: Problem | null;
  /** The newest event that changes what the run waits for. */
  last: number;
}

const NOTHING: RunEvents = { events: [], steps: new Map(), complete: false, problem: null, last: 0 };

function useEvents(runId: string): RunEvents {
  const { client, live } = useServices();
  const back = useReturns();
  const [found, setFound] = useState<RunEvents>(NOTHING);
  useEffect(() => {
    const stop = new AbortController();
    let events: JournalEvent[] = [];
    let steps: Steps = NOTHING.steps;
    const add = (more: readonly JournalEvent[], complete: boolean): void => {
      const newest = events.at(-1)?.seq ?? 0;
      const fresh = more.filter(event => event.seq > newest);
      if (fresh.length || complete) {
        events = fresh.length ? [...events, ...fresh] : events;
        steps = withEvents(steps, fresh);
        const last = complete ? (events.findLast(event => ASKING.test(event.type))?.seq ?? 0) : 0;
        setFound({ events, steps, complete, problem: null, last });
      }
    };
    // What arrives while the past is being read waits for its turn.
    let early: JournalEvent[] | null = [];
    const unwatch = live.watch(runId, arrived => (early ? early.push(...arrived) : add(arrived, true)));
    const read = async (): Promise<void> => {
      for (let after = 0; !stop.signal.aborted;) {
        const query = { after, limit: PAGE };
        const page = await client.get<EventPage>(`/runs/${part(runId)}/events`, query, stop.signal);
        after = page.next;
        add(page.events, false);
        if (page.events.length < PAGE) {
          break;
        }
      }
      if (!stop.signal.aborted) {
        add(early ?? [], true);
        early = null;
      }
    };
    read().catch((reason: unknown) => {
      if (!stop.signal.aborted) {
        setFound(old => ({ ...old, problem: asProblem(reason) }));
      }
    });
    return () => {
      unwatch();
      stop.abort();
    };
  }, [client, live, runId, back]);
  return found;
}
