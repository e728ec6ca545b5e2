import { Button, InputGroup } from '@jupyterlab/ui-components';
import { JSX, useCallback, useEffect, useMemo } from 'react';

import { Agent, AgentPage, Run } from '../api/types';
import { plural } from '../format';
import { useLive, useLoaded } from '../live/hooks';
import { isFinal, newestFirst, tookMs } from '../live/runs';
import { ModelOffer } from '../models/ModelOffer';
import { useMay } from '../panels/me';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { Mark, Sparkline } from '../ui/Sparkline';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';
import { Ago } from '../ui/Time';

const MOST = 500;
const MARKS = 20;

/** The agents of the store as cards: what each can do, how its last runs went, and a chat with it. */
export function AgentsPanel({ args, keep }: PanelProps): JSX.Element {
  const { client, live } = useServices();
  const load = useCallback(
    (signal: AbortSignal) => client.get<AgentPage>('/agents', { limit: MOST }, signal),
    [client],
  );
  const { value, problem, reload } = useLoaded(load);
  useEffect(
    () => live.watch('', events => events.some(event => event.type.startsWith('agent.')) && reload()),
    [live, reload],
  );
  const text = args.filter ?? '';
  const shown = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return (value?.agents ?? []).filter(agent => {
      const said = [agent.name, agent.model, agent.state, ...agent.capabilities, ...agent.tools]
        .join(' ')
        .toLowerCase();
      return words.every(word => said.includes(word));
    });
  }, [value, text]);
  const { runs } = useLive();
  const byAgent = useMemo(() => {
    const found = new Map<string, Run[]>();
    for (const run of [...runs.values()].sort(newestFirst)) {
      if (run.agent_id) {
        found.set(run.agent_id, [...(found.get(run.agent_id) ?? []), run]);
      }
    }
    return found;
  }, [runs]);
  return (
    <div className="agentnb-agents" data-testid="agentnb-agents">
      <div className="agentnb-bar-top">
        <div className="agentnb-filter">
          <InputGroup
            type="text"
            value={text}
            placeholder="Filter by name, capability, model or tool"
            aria-label="Filter of agents"
            rightIcon="ui-components:search"
            data-testid="agentnb-agents-filter"
            onChange={event => keep({ filter: event.currentTarget.value })}
          />
        </div>
        <span className="agentnb-space" />
        <span className="agentnb-muted agentnb-figure">
          {value && (value.next ? `${shown.length} of the newest ${MOST} agents` : plural(shown.length, 'agent'))}
        </span>
      </div>
      {problem && <Trouble problem={problem} onRetry={reload} />}
      {!problem && <ModelOffer name="" />}
      {value ? (
        shown.length ? (
          <div className="agentnb-cards">
            {shown.map(agent => (
              <AgentCard
                key={agent.id}
                agent={agent}
                runs={byAgent.get(agent.id) ?? []}
                onCapability={capability => keep({ filter: capability })}
              />
            ))}
          </div>
        ) : value.agents.length ? (
          <Empty title="No agent passes the filter">
            <button type="button" className="agentnb-action" onClick={() => keep({ filter: '' })}>
              Clear the filter
            </button>
          </Empty>
        ) : (
          <Empty title="No agents yet" code={'agent = agentnb.Agent("helper", instructions="Answer briefly.")'}>
            An agent is a model with instructions and tools. Each one that is defined in a notebook, in Python or with a
            cell <code>%%agent NAME</code>, appears here. Define one:
          </Empty>
        )
      ) : (
        !problem && <Skeleton rows={8} />
      )}
    </div>
  );
}

function AgentCard(props: { agent: Agent; runs: Run[]; onCapability: (capability: string) => void }): JSX.Element {
  const { agent, runs, onCapability } = props;
  const { open } = useServices();
  const may = useMay('execute', 'agents');
  const going = runs.filter(run => !isFinal(run.status));
  const marks = marksOf(agent, runs);
  const last = runs[0] ?? agent.last_runs[0];
  const ready = agent.state === 'READY';
  const chat = (): void =>
    open('chat', { agent: agent.id, name: agent.name, session: `chat-${crypto.randomUUID().slice(0, 8)}` });
  return (
    <article className="agentnb-agent-card" data-testid="agentnb-agent-card" data-agent={agent.name}>
      <header>
        <h3 title={agent.id}>{agent.name}</h3>
        {going.length ? (
          <Status name="running" note={going.length > 1 ? String(going.length) : ''} />
        ) : (
          <span className="agentnb-agent-state" data-state={agent.state}>
            {agent.state.toLowerCase()}
          </span>
        )}
      </header>
      <div className="agentnb-agent-model" title={agent.model}>
        {agent.model}
      </div>
      <p className="agentnb-agent-about" title={agent.instructions}>
        {agent.instructions || 'No instructions'}
      </p>
      <div className="agentnb-tags">
        {agent.capabilities.map(capability => (
          <button key={capability} type="button" className="agentnb-tag" onClick={() => onCapability(capability)}>
            {capability}
          </button>
        ))}
        {agent.tools.length > 0 && (
          <span className="agentnb-muted" title={agent.tools.join(', ')}>
            {plural(agent.tools.length, 'tool')}
          </span>
        )}
      </div>
      <footer>
        <Sparkline marks={marks} label={`Durations of the last ${plural(marks.length, 'run')}`} />
        {last ? (
          <button
            type="button"
            className="agentnb-link"
            onClick={() => open('run', { run: last.id, name: agent.name })}
          >
            <Status name={last.status} quiet /> <Ago at={last.started_at} />
          </button>
        ) : (
          <span className="agentnb-muted">never run</span>
        )}
        <span className="agentnb-space" />
        <Button
          small
          minimal
          disabled={!ready || !may}
          title={
            !may ? 'The server’s authorizer refuses this to you' : ready ? '' : `It is ${agent.state}: define it again`
          }
          onClick={chat}
          data-testid="agentnb-start-chat"
        >
          Chat
        </Button>
      </footer>
    </article>
  );
}

/** How long its last runs took, the oldest first: those that are known live, and those that the server told of. */
function marksOf(agent: Agent, runs: readonly Run[]): Mark[] {
  const marks = new Map<string, Mark & { at: string }>();
  for (const run of agent.last_runs) {
    if (run.duration_ms !== null) {
      marks.set(run.id, { id: run.id, status: run.status, milliseconds: run.duration_ms, at: run.started_at });
    }
  }
  for (const run of runs.filter(found => isFinal(found.status))) {
    marks.set(run.id, { id: run.id, status: run.status, milliseconds: tookMs(run, 0) ?? 0, at: run.started_at });
  }
  return [...marks.values()].sort((a, b) => (a.at < b.at ? -1 : 1)).slice(-MARKS);
}
