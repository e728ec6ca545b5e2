import { useEffect, useRef, useState, type ReactElement, type ReactNode } from 'react';

import { clock, count, duration, moment, plural } from './format';
import { KindIcon, Sign, StatusIcon } from './icons';
import { useNodeState, useNow } from './live';
import { cardOf, mountQuestion } from './question';
import { elapsed, isTicking, statusWord } from './status';
import type { GraphActions, GraphNode, NodeDetails, NodeState, Question } from './types';
import { Value } from './Value';

export interface SheetProps {
  path: string;
  part: string;
  node: GraphNode;
  actions: GraphActions;
  /** Whether the run has ended, so that it may be run again. */
  ended: boolean;
  onPart: (part: string) => void;
  onClose: () => void;
}

/** What one step was given, gave, tried and did; an answer where it asks for one. */
export function Sheet({ path, part, node, actions, ended, onPart, onClose }: SheetProps): ReactElement {
  const live = useNodeState(path);
  const { found, problem } = useDetails(path, part, live, actions);
  const now = useNow(isTicking(live));
  const [chosen, setChosen] = useState('');
  const state: NodeState =
    part && found ? { status: found.status, started_at: found.started_at } : (live ?? { status: 'queued' });
  const spent = part && found && !isTicking(state) ? (found.duration_ms ?? 0) : elapsed(state, now);
  const tabs = found ? tabsOf(found, node, actions, onPart) : [];
  const tab = tabs.find(one => one.name === chosen) ?? tabs[0];
  return (
    <section className="agentnb-flow-sheet" data-testid="sheet" aria-label={`Step ${node.title}`}>
      <header>
        <KindIcon kind={node.kind} />
        <h3 title={node.hint}>{part || node.title}</h3>
        {part && (
          <button type="button" className="agentnb-flow-link" onClick={() => onPart('')} data-testid="whole-step">
            all of {node.title}
          </button>
        )}
        <button
          type="button"
          className="agentnb-flow-icon"
          title="Close (Esc)"
          data-testid="close-sheet"
          onClick={onClose}
        >
          <Sign name="close" />
        </button>
      </header>
      <div className="agentnb-flow-facts">
        <span className="agentnb-flow-status" data-status={state.status}>
          <StatusIcon status={state.status} /> {statusWord(state)}
        </span>
        {spent ? <span>{duration(spent)}</span> : null}
        {state.started_at ? <span title={moment(state.started_at)}>at {clock(state.started_at)}</span> : null}
        {found?.attempts && found.attempts.length > 1 ? <span>{plural(found.attempts.length, 'attempt')}</span> : null}
        {usageOf(found).map(said => (
          <span key={said}>{said}</span>
        ))}
        {found?.source ? <span>from {found.source}</span> : null}
        {found?.reason && found.reason !== 'error' ? <span>{found.reason.replace('_', ' ')}</span> : null}
        {!found?.kind && node.detail ? <span>{node.detail}</span> : null}
      </div>
      {found?.error && (
        <div className="agentnb-flow-error" role="alert" data-testid="step-error">
          <strong>{found.error.type}</strong> {found.error.message}
        </div>
      )}
      {problem && (
        <div className="agentnb-flow-error" role="alert">
          {problem}
        </div>
      )}
      {tabs.length > 0 && (
        <div className="agentnb-flow-tabs" role="tablist" aria-label="What to see of the step">
          {tabs.map(one => (
            <button
              key={one.name}
              type="button"
              role="tab"
              aria-selected={one === tab}
              data-testid={`tab:${one.name}`}
              onClick={() => setChosen(one.name)}
            >
              {one.title}
              {one.count ? <small>{count(one.count)}</small> : null}
            </button>
          ))}
        </div>
      )}
      <div className="agentnb-flow-body" role="tabpanel" tabIndex={0} aria-label={tab?.title} data-testid="sheet-body">
        {tab?.body ?? (found || problem ? null : <Waiting actions={actions} node={node} />)}
      </div>
      {found?.step && (found.child || (ended && actions.retry)) ? (
        <footer>
          {ended && actions.retry && !path.includes('/') && <Retry retry={actions.retry} step={node.id} key={path} />}
          {found.child && actions.open ? (
            <button type="button" className="agentnb-flow-link" onClick={() => actions.open?.(found.child ?? '')}>
              Open its own run
            </button>
          ) : found.child ? (
            <code title="The run that the step has started">%agentnb show {found.child}</code>
          ) : null}
        </footer>
      ) : null}
    </section>
  );
}

function Waiting({ actions, node }: { actions: GraphActions; node: GraphNode }): ReactElement {
  return <p className="agentnb-flow-quiet">{actions.details ? '…' : node.hint}</p>;
}

/** Asks for the details, again whenever something about the step is different. */
function useDetails(
  path: string,
  part: string,
  live: NodeState | undefined,
  actions: GraphActions,
): { found: NodeDetails | null; problem: string } {
  const [result, setResult] = useState<{ key: string; found: NodeDetails | null; problem: string }>({
    key: '',
    found: null,
    problem: '',
  });
  const key = `${path}\n${part}`;
  const ask = actions.details;
  useEffect(() => {
    let current = true;
    ask?.(path, part).then(
      found => current && setResult({ key, found, problem: '' }),
      (error: unknown) =>
        current && setResult({ key, found: null, problem: error instanceof Error ? error.message : String(error) }),
    );
    return () => {
      current = false;
    };
  }, [ask, path, part, key, live]);
  return result.key === key ? result : { found: null, problem: '' };
}

interface Tab {
  name: string;
  title: string;
  count?: number;
  body: ReactNode;
}

const ENDED = new Set(['completed', 'failed', 'cancelled', 'skipped', 'replayed']);

function tabsOf(found: NodeDetails, node: GraphNode, actions: GraphActions, onPart: (part: string) => void): Tab[] {
  const tabs: Tab[] = [];
  if (found.question && actions.answer) {
    tabs.push({
      name: 'answer',
      title: 'Answer',
      body: <Ask key={cardOf(found)} question={found.question} found={found} actions={actions} />,
    });
  }
  if (found.parts.length && node.fan && !found.part) {
    tabs.push({ name: 'parts', title: 'Items', count: found.count, body: <Parts found={found} onPart={onPart} /> });
  }
  if (found.step) {
    const none = ENDED.has(found.status) ? 'It gave no output.' : 'No output yet.';
    tabs.push({ name: 'output', title: 'Output', body: <Value shown={found.output ?? null} none={none} /> });
    tabs.push({ name: 'input', title: 'Input', body: <Value shown={found.input ?? null} none="It takes no input." /> });
  }
  if (found.parts.length > 1 && !node.fan && !found.part) {
    tabs.push({ name: 'parts', title: 'Visits', count: found.count, body: <Parts found={found} onPart={onPart} /> });
  }
  if (found.trace?.length) {
    tabs.push({ name: 'trace', title: 'Calls', count: found.trace.length, body: <Trace found={found} /> });
  }
  if (found.attempts?.length) {
    tabs.push({ name: 'attempts', title: 'Attempts', count: found.attempts.length, body: <Attempts found={found} /> });
  }
  if (found.events?.length) {
    tabs.push({ name: 'events', title: 'Events', count: found.events.length, body: <Events found={found} /> });
  }
  return tabs;
}

function Ask({
  question,
  found,
  actions,
}: {
  question: Question;
  found: NodeDetails;
  actions: GraphActions;
}): ReactElement {
  const host = useRef<HTMLDivElement>(null);
  const held = useRef({ question, found, actions });
  useEffect(() => {
    const { question: asked, found: of, actions: then } = held.current;
    if (!host.current || !then.answer) {
      return undefined;
    }
    const answer = then.answer;
    return mountQuestion(host.current, asked, given => answer({ run: of.run ?? '', step: of.step ?? '', ...given }));
  }, []);
  return <div ref={host} />;
}

function Parts({ found, onPart }: { found: NodeDetails; onPart: (part: string) => void }): ReactElement {
  return (
    <ul className="agentnb-flow-list">
      {found.parts.map(one => (
        <li key={one.id}>
          <button type="button" onClick={() => onPart(one.id)} data-testid={`part:${one.id}`}>
            <StatusIcon status={one.status} />
            <span>{one.id}</span>
            <span className="agentnb-flow-quiet">{one.asks ? 'asks' : one.status}</span>
            <span className="agentnb-flow-number">{one.duration_ms ? duration(one.duration_ms) : ''}</span>
          </button>
        </li>
      ))}
    </ul>
  );
}

function Attempts({ found }: { found: NodeDetails }): ReactElement {
  return (
    <ol className="agentnb-flow-list">
      {found.attempts?.map((one, place) => (
        <li key={place}>
          <div>
            <StatusIcon status={one.status} />
            <span>{one.status}</span>
            <span className="agentnb-flow-quiet" title={moment(one.started_at)}>
              {clock(one.started_at)}
            </span>
            <span className="agentnb-flow-number">{one.ended_at ? duration(one.ended_at - one.started_at) : ''}</span>
          </div>
          {one.error && (
            <p className="agentnb-flow-quiet">
              {one.error.type}: {one.error.message}
            </p>
          )}
        </li>
      ))}
    </ol>
  );
}

function Events({ found }: { found: NodeDetails }): ReactElement {
  return (
    <table className="agentnb-flow-plain">
      <tbody>
        {found.events?.map(event => (
          <tr key={event.seq}>
            <td title={moment(event.at)}>{clock(event.at)}</td>
            <td>{event.type}</td>
            <td className="agentnb-flow-number">{event.seq}</td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** What the step's agent did: calls of models and tools on a common axis of time. */
function Trace({ found }: { found: NodeDetails }): ReactElement {
  const steps = found.trace ?? [];
  const end = Math.max(1, ...steps.map(step => step.started_ms + step.duration_ms));
  return (
    <div>
      {steps.map(step => (
        <details key={step.id} className="agentnb-flow-call">
          <summary>
            <StatusIcon status={step.status} />
            <span className="agentnb-flow-quiet">{step.kind}</span>
            <span>{step.name}</span>
            <span className="agentnb-flow-number">
              {[step.tokens ? `${count(step.tokens)} tokens` : '', duration(step.duration_ms)]
                .filter(Boolean)
                .join(' · ')}
            </span>
            <span
              className="agentnb-flow-bar"
              style={{
                marginLeft: `${String((100 * step.started_ms) / end)}%`,
                width: `${String((100 * step.duration_ms) / end)}%`,
              }}
            />
          </summary>
          {step.error && <p className="agentnb-flow-error">{step.error}</p>}
          <h4>Input</h4>
          <Value shown={step.input} none="none" />
          <h4>Output</h4>
          <Value shown={step.output} none="none" />
        </details>
      ))}
    </div>
  );
}

function Retry({ retry, step }: { retry: NonNullable<GraphActions['retry']>; step: string }): ReactElement {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const press = (): void => {
    setBusy(true);
    retry([step])
      .catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(false));
  };
  return (
    <>
      <button
        type="button"
        disabled={busy}
        onClick={press}
        data-testid="retry-from"
        title="As a new run: this step and what needs it are run anew, all else is taken over"
      >
        Run again from here
      </button>
      {problem && <span role="alert">{problem}</span>}
    </>
  );
}

function usageOf(found: NodeDetails | null): string[] {
  const usage = found?.usage ?? {};
  const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  return [tokens ? plural(tokens, 'token') : '', usage.cost ? `$${usage.cost.toFixed(4)}` : ''].filter(Boolean);
}
