import { JSX, useMemo, useState } from 'react';

import { JournalEvent, RunDetail, Usage } from '../api/types';
import { clock, count, duration, money } from '../format';
import { beginOf, endOf, Step } from '../live/steps';
import { useServices } from '../panels/services';
import { Tree, Value } from '../ui/Json';
import { Markdown } from '../ui/Markdown';
import { Status } from '../ui/Status';
import { Tabs } from '../ui/Tabs';

/** What is known of a step: what it was given, what it gave, how often it was tried, and what happened. */
export function StepSheet({
  step,
  events,
  onClose,
}: {
  step: Step;
  events: readonly JournalEvent[];
  onClose: () => void;
}): JSX.Element {
  const { open } = useServices();
  const own = useMemo(() => events.filter(event => event.step_id === step.id), [events, step.id]);
  const [tab, setTab] = useState('output');
  return (
    <aside className="agentnb-sheet" aria-label={`Step ${step.id}`} data-testid="agentnb-step-sheet">
      <header>
        <h3 title={step.id}>{step.name || step.id}</h3>
        <button type="button" className="agentnb-icon-button" aria-label="Close" title="Close (Esc)" onClick={onClose}>
          ×
        </button>
      </header>
      <p className="agentnb-facts">
        <Status name={step.replayed && step.status === 'completed' ? 'replayed' : step.status} note={step.reason} />
        <span>{step.kind}</span>
        {step.spans.length > 0 && <span>{duration(step.durationMs || lasted(step))}</span>}
        {step.attempts > 1 && <span>{step.attempts} attempts</span>}
        <UsageFacts usage={step.usage} />
        {step.source && <span>taken from {step.source}</span>}
        {step.child && (
          <button type="button" className="agentnb-link" onClick={() => open('run', { run: step.child })}>
            Open its run
          </button>
        )}
      </p>
      {step.error && <ErrorCard type={step.error.type} message={step.error.message} />}
      <Tabs
        label="Parts of the step"
        value={tab}
        onChange={setTab}
        tabs={[
          { id: 'output', title: 'Output' },
          { id: 'input', title: 'Input' },
          { id: 'attempts', title: `Attempts ${step.attempts > 1 ? step.attempts : ''}` },
          { id: 'events', title: `Events ${own.length}` },
        ]}
      />
      <div className="agentnb-sheet-body">
        {tab === 'output' &&
          (step.output === null ? <None what="output" /> : <Value label="Output" value={step.output} />)}
        {tab === 'input' && (step.input === null ? <None what="input" /> : <Value label="Input" value={step.input} />)}
        {tab === 'attempts' && <Attempts step={step} />}
        {tab === 'events' && <StepEvents events={own} />}
      </div>
    </aside>
  );
}

/** What is known of the run as a whole, while no step is chosen. */
export function RunSheet({ run }: { run: RunDetail }): JSX.Element {
  const answer = textOf(run.output);
  return (
    <aside className="agentnb-sheet" aria-label="The run" data-testid="agentnb-run-sheet">
      <div className="agentnb-sheet-body">
        {run.error && <ErrorCard type={run.error.type} message={run.error.message} />}
        {answer !== null ? (
          <section className="agentnb-value-block">
            <header>
              <h4>Answer</h4>
            </header>
            <Markdown text={answer} />
          </section>
        ) : (
          <Value label="Output" value={run.output} />
        )}
        <Value label="Input" value={run.input} />
      </div>
    </aside>
  );
}

export function ErrorCard({ type, message }: { type: string; message: string }): JSX.Element {
  return (
    <div className="agentnb-card" data-kind="error" role="note">
      {type && <div className="agentnb-card-title">{type}</div>}
      <div>{message}</div>
    </div>
  );
}

/** Tokens, calls and cost, as far as there are some. */
export function UsageFacts({ usage }: { usage: Usage }): JSX.Element {
  const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  return (
    <>
      {tokens > 0 && (
        <span title={`${usage.input_tokens ?? 0} in, ${usage.output_tokens ?? 0} out`}>{count(tokens)} tokens</span>
      )}
      {Boolean(usage.cost) && <span>{money(usage.cost)}</span>}
    </>
  );
}

function Attempts({ step }: { step: Step }): JSX.Element {
  return step.spans.length ? (
    <table className="agentnb-table agentnb-attempts">
      <thead>
        <tr>
          <th>Attempt</th>
          <th>From</th>
          <th>What</th>
          <th>Time</th>
        </tr>
      </thead>
      <tbody>
        {step.spans.map((span, place) => (
          <tr key={place}>
            <td data-type="number">{span.attempt}</td>
            <td>{clock(new Date(span.from).toISOString())}</td>
            <td>
              <Status
                name={
                  span.to === null
                    ? span.status
                    : span.status === 'waiting'
                      ? 'waiting'
                      : span.failed
                        ? 'failed'
                        : place === step.spans.length - 1
                          ? step.status
                          : 'completed'
                }
              />
            </td>
            <td data-type="number">{span.to === null ? '…' : duration(span.to - span.from)}</td>
          </tr>
        ))}
      </tbody>
    </table>
  ) : (
    <None what="attempts: it was not run" />
  );
}

function StepEvents({ events }: { events: readonly JournalEvent[] }): JSX.Element {
  return (
    <div className="agentnb-json">
      {events.map(event => (
        <details key={event.seq}>
          <summary>
            <span className="agentnb-muted">{clock(String(event.data.timestamp))}</span> {event.type}
          </summary>
          <Tree value={event.data} depth={1} />
        </details>
      ))}
    </div>
  );
}

function None({ what }: { what: string }): JSX.Element {
  return <p className="agentnb-muted">No {what}</p>;
}

function lasted(step: Step): number {
  const begin = beginOf(step);
  return begin === null ? 0 : endOf(step, Date.now()) - begin;
}

/** The text of an agent's answer; null where the output is something else. */
export function textOf(output: unknown): string | null {
  const found = output !== null && typeof output === 'object' ? (output as Record<string, unknown>) : {};
  return typeof found.text === 'string' && found.text ? found.text : null;
}
