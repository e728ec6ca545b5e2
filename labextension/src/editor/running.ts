import { useEffect, useState } from 'react';

import { asProblem, part, type Problem } from '../api/client';
import type { RunDetail } from '../api/types';
import { EMPTY } from '../graph/state';
import type { GraphState, NodeState, NodeStatus } from '../graph/types';
import { useLive } from '../live/hooks';
import { useServices } from '../panels/services';

/** Milliseconds between two readings of a run at least. */
const PAUSE = 100;

/** What the server says of a run's graph (`agentnb/server/graphs.py`). */
interface RunGraph {
  nodes: { id: string; state: RunNode | null }[];
  edges: { source: string; target: string; taken: number | null }[];
  current: string;
  history: { state: string }[];
}

interface RunNode {
  status: NodeStatus;
  reason: string;
  outcome: string;
  started_at: string;
  duration_ms: number;
  attempts: number;
  error: { message?: string } | null;
  source: string;
  child: string;
  usage: { input_tokens?: number; output_tokens?: number };
  question: { assignee?: string } | null;
  visits: number;
  items: Readonly<Record<string, number>>;
  total: number;
}

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
        const [graph, run] = await Promise.all([client.get<RunGraph>(`/runs/${part(runId)}/graph`), live.read(runId)]);
        if (!stopped) {
          setWatched({ state: stateOf(graph, run), run, deleted: false, problem: null });
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

function stateOf(graph: RunGraph, run: RunDetail): GraphState {
  const isLost = run.status === 'running' && !run.alive;
  const taken: Record<string, number[]> = {};
  graph.history.slice(1).forEach(({ state }, place) => {
    const id = `${graph.history[place]?.state ?? ''}→${state}`;
    taken[id] = [...(taken[id] ?? []), place + 1];
  });
  return {
    run: {
      id: run.id,
      name: run.name,
      status: run.status,
      reason: isLost ? 'lost' : run.reason,
      started_at: moment(run.started_at),
      ended_at: moment(run.ended_at),
      error: run.error,
      parent: run.parent,
      usage: run.usage,
      path: [],
      seq: 0,
    },
    steps: Object.fromEntries(graph.nodes.flatMap(({ id, state }) => (state ? [[id, nodeState(state)]] : []))),
    taken,
    current: graph.current ? [graph.current] : [],
  };
}

function nodeState(node: RunNode): NodeState {
  const tokens = (node.usage.input_tokens ?? 0) + (node.usage.output_tokens ?? 0);
  const count = (status: string): number => node.items[status] ?? 0;
  const done = count('completed') + count('failed') + count('skipped') + count('cancelled');
  return {
    status: node.status,
    ...(node.reason && { reason: node.reason }),
    ...(node.outcome && { outcome: node.outcome }),
    ...(node.started_at && { started_at: moment(node.started_at) }),
    ...(node.duration_ms && { duration_ms: node.duration_ms }),
    ...(node.attempts && { attempts: node.attempts }),
    ...(node.error?.message && { error: node.error.message }),
    ...(node.source && { source: node.source }),
    ...(node.child && { child: node.child }),
    ...(tokens && { tokens }),
    ...(node.question && { asks: node.question.assignee ?? 'somebody' }),
    ...(node.visits && { visits: node.visits }),
    ...(node.total && {
      items: { total: node.total, done, failed: count('failed'), waiting: count('waiting') },
    }),
  };
}

function moment(text: string): number {
  return text ? Date.parse(text) || 0 : 0;
}
