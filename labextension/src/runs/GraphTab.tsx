import { JSX, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { asProblem, part } from '../api/client';
import { Run } from '../api/types';
import {
  Answer,
  Answered,
  EMPTY,
  FIRST_VIEW,
  GraphActions,
  GraphData,
  GraphState,
  GraphView,
  NodeDetails,
  WorkflowGraph,
} from '../graph';
import { Followed, useLoaded, useRun } from '../live/hooks';
import { useMay } from '../panels/me';
import { useServices } from '../panels/services';
import { Skeleton, Trouble } from '../ui/states';
import { shared } from './sharing';

interface RunGraph {
  data: GraphData;
  state: GraphState;
}

/** Milliseconds between two readings of a graph whose run goes on. */
const REREAD = 300;

/** The graph of a workflow's run, live. */
export function GraphTab({ run, followed }: { run: Run; followed: Followed }): JSX.Element {
  const { client } = useServices();
  const known = useRef<RunGraph | null>(null);
  const newest = useEvery(followed.events.at(-1)?.seq ?? 0, REREAD);
  const load = useCallback(
    async (signal: AbortSignal) => {
      const found = await client.get<RunGraph>(`/runs/${part(run.id)}/graph`, {}, signal);
      const before = known.current;
      known.current = {
        data: before?.data ?? found.data, // a run keeps the definition that it began with
        state: {
          ...found.state,
          steps: shared(before?.state.steps ?? EMPTY.steps, found.state.steps),
          taken: shared(before?.state.taken ?? EMPTY.taken, found.state.taken),
        },
      };
      return known.current;
    },
    [client, run.id, run.status, newest], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  const [view, setView] = useState<GraphView>(FIRST_VIEW);
  const onView = useCallback((change: Partial<GraphView>) => setView(old => ({ ...old, ...change })), []);
  const actions = useRunActions(run.id);
  if (!value) {
    return problem ? <Trouble problem={problem} onRetry={reload} /> : <Skeleton rows={8} />;
  }
  return (
    <div className="agentnb-graph" data-testid="agentnb-graph">
      <WorkflowGraph data={value.data} state={value.state} actions={actions} view={view} onView={onView} />
    </div>
  );
}

/** The graph of the workflow that a job has begun, live. */
export function GraphOfRun({ runId }: { runId: string }): JSX.Element {
  const followed = useRun(runId);
  const { run, problem, reload } = followed;
  if (!run) {
    return problem ? <Trouble problem={problem} onRetry={reload} /> : <Skeleton rows={8} />;
  }
  return <GraphTab run={run} followed={followed} />;
}

/** What can be done with a run and its steps, as far as the user may. */
export function useRunActions(runId: string): GraphActions {
  const { client, live, open } = useServices();
  const may = useMay('execute', 'runs');
  return useMemo<GraphActions>(() => {
    const path = `/runs/${part(runId)}`;
    const looking: GraphActions = {
      details: async (node, item) =>
        (await client.get<{ details: NodeDetails }>(`${path}/graph/details`, { node, part: item })).details,
      open: id => open('run', { run: id }),
    };
    const again = async (): Promise<void> => {
      await live.read(runId);
    };
    return may
      ? {
          ...looking,
          answer: answer => sendAnswer(client.post.bind(client), answer),
          cancel: () => client.post(`${path}/cancel`).then(again),
          resume: () => client.post(`${path}/resume`).then(again),
          retry: async steps => {
            const made = await client.post<Run>(`${path}/rerun`, { start: steps });
            live.learn([made]);
            open('run', { run: made.id, name: made.name, tab: 'graph' });
          },
        }
      : looking;
  }, [client, live, open, runId, may]);
}

async function sendAnswer(post: (path: string, body: unknown) => Promise<unknown>, answer: Answer): Promise<Answered> {
  const { run, step, ...given } = answer;
  try {
    await post(`/runs/${part(run)}/answers`, { ...given, step_id: step });
    return { accepted: true, message: '' };
  } catch (reason) {
    return { accepted: false, message: asProblem(reason).message };
  }
}

/** A value that follows another one, with so many milliseconds between two changes at least. */
function useEvery<Value>(value: Value, milliseconds: number): Value {
  const [slow, setSlow] = useState(value);
  const timer = useRef(0);
  const latest = useRef(value);
  latest.current = value;
  useEffect(() => {
    timer.current ||= window.setTimeout(() => {
      timer.current = 0;
      setSlow(() => latest.current);
    }, milliseconds);
  }, [value, milliseconds]);
  useEffect(() => () => window.clearTimeout(timer.current), []);
  return slow;
}
