import { JSX, ReactNode, useCallback, useEffect, useMemo, useState } from 'react';

import { part } from '../api/client';
import { RunDiff, RunSide, StepDiff, StepSide } from '../api/types';
import { change, count, duration, money, readable, shortId } from '../format';
import { useLive, useLoaded } from '../live/hooks';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';
import { Ago } from '../ui/Time';
import { folded, sideBySide } from './diffing';

/** Steps that are listed at once. */
const MOST = 200;

const MARKS = { same: '=', changed: '≠', 'only in a': 'A', 'only in b': 'B' };
const WORDS = { same: 'the same', 'only in a': 'only in A', 'only in b': 'only in B' };

/** Two runs side by side: what they were given, step by step what came of it, time, tokens and cost; differences are marked. */
export function ComparePanel({ args, rename }: PanelProps): JSX.Element {
  const { client } = useServices();
  const { runs } = useLive();
  const a = args.a ?? '';
  const b = args.b ?? '';
  const statuses = `${runs.get(a)?.status ?? ''} ${runs.get(b)?.status ?? ''}`;
  const load = useCallback(
    (signal: AbortSignal) => client.get<RunDiff>(`/runs/${part(a)}/diff/${part(b)}`, {}, signal),
    [client, a, b, statuses], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value: diff, problem, reload } = useLoaded(load);
  useEffect(() => rename(`${shortId(a)} ↔ ${shortId(b)}`), [rename, a, b]);
  if (problem) {
    return <Trouble problem={problem} onRetry={reload} />;
  }
  return diff ? <Comparison diff={diff} /> : <Skeleton rows={12} />;
}

function Comparison({ diff }: { diff: RunDiff }): JSX.Element {
  const [all, setAll] = useState(false);
  const steps = useMemo(() => diff.steps.filter(step => all || step.status !== 'same'), [diff, all]);
  const same = diff.counts.same ?? 0;
  return (
    <div className="agentnb-compare" data-testid="agentnb-compare">
      <div className="agentnb-compare-sides">
        <Side label="A" side={diff.a} />
        <Side label="B" side={diff.b} />
      </div>
      <p className="agentnb-facts" data-testid="agentnb-compare-summary">
        <strong>
          {diff.same
            ? 'Both were given the same and came to the same'
            : diff.diverged
              ? `They differ from ${diff.diverged} on`
              : 'They differ'}
        </strong>
        <span>B took {change(diff.duration_ms, duration)}</span>
        {(diff.a.tokens > 0 || diff.b.tokens > 0) && <span>{change(diff.tokens, count)} tokens</span>}
        {diff.cost !== null && diff.cost !== 0 && <span>{change(diff.cost, money)}</span>}
        {!diff.definition.same && <span>of different definitions</span>}
      </p>
      <Changes
        title="Definition"
        pairs={[...Object.entries(diff.definition.fields), ...Object.entries(diff.definition.edited)]}
      />
      <Changes title="Input" pairs={differing(diff.a.input, diff.b.input)} />
      <section>
        <header className="agentnb-compare-head">
          <h4>Steps</h4>
          {same > 0 && (
            <button type="button" className="agentnb-action" aria-pressed={all} onClick={() => setAll(!all)}>
              {all ? 'Hide' : 'Show'} {same} that {same === 1 ? 'is' : 'are'} the same
            </button>
          )}
        </header>
        {steps.length ? (
          steps.slice(0, MOST).map(step => <StepRow key={step.id} step={step} />)
        ) : (
          <Empty title="No step differs">Only time, tokens and cost may.</Empty>
        )}
        {steps.length > MOST && <p className="agentnb-muted">{count(steps.length - MOST)} more steps differ</p>}
      </section>
      <Changes title="Output" pairs={differing(diff.a.output, diff.b.output)} />
      <Changes title="Error" pairs={differing(diff.a.error, diff.b.error)} />
    </div>
  );
}

function Side({ label, side }: { label: string; side: RunSide }): JSX.Element {
  const { open } = useServices();
  return (
    <div className="agentnb-compare-side">
      <strong>{label}</strong>
      <Status name={side.status} note={side.reason === 'error' ? '' : side.reason} />
      <button type="button" className="agentnb-link" title={side.id} onClick={() => open('run', { run: side.id })}>
        {side.name} {shortId(side.id)}
      </button>
      <span className="agentnb-muted">
        <Ago at={side.started_at} />
      </span>
      <span className="agentnb-figure">{duration(side.duration_ms)}</span>
      {side.tokens > 0 && <span className="agentnb-figure">{count(side.tokens)} tokens</span>}
      {Boolean(side.cost) && <span className="agentnb-figure">{money(side.cost)}</span>}
    </div>
  );
}

function StepRow({ step }: { step: StepDiff }): JSX.Element {
  const { open } = useServices();
  const [a, b] = step.children;
  const kind = step.a?.kind ?? step.b?.kind ?? '';
  return (
    <details className="agentnb-compare-step" data-status={step.status} data-testid="agentnb-compare-step">
      <summary>
        <span className="agentnb-compare-mark" aria-hidden>
          {MARKS[step.status]}
        </span>
        <span>{step.id}</span>
        <span className="agentnb-muted">{kind}</span>
        <span>{step.status === 'changed' ? step.changed.join(', ') : WORDS[step.status]}</span>
        <span className="agentnb-number">{step.a ? duration(step.a.duration_ms) : ''}</span>
        <span className="agentnb-number">{step.b ? duration(step.b.duration_ms) : ''}</span>
        <span className="agentnb-number agentnb-muted">
          {step.duration_ms === null ? '' : change(step.duration_ms, duration)}
        </span>
      </summary>
      <div>
        {a && b && (
          <button type="button" className="agentnb-link" onClick={() => open('compare', { a, b })}>
            Compare the runs that it started
          </button>
        )}
        {step.a && step.b && step.a.status !== step.b.status && (
          <p className="agentnb-facts">
            <Status name={step.a.status} note={step.a.reason} /> <span>→</span>
            <Status name={step.b.status} note={step.b.reason} />
          </p>
        )}
        {(['input', 'output', 'error'] as const).map(name => (
          <Changes key={name} title={name} pairs={differing(valueOf(step.a, name), valueOf(step.b, name))} small />
        ))}
      </div>
    </details>
  );
}

/** Values that differ, side by side. */
function Changes(props: { title: string; pairs: [string, [unknown, unknown]][]; small?: boolean }): ReactNode {
  const { title, pairs, small } = props;
  return pairs.length ? (
    <section>
      {small ? <h5>{title}</h5> : <h4>{title}</h4>}
      {pairs.map(([name, [a, b]]) => (
        <div key={name}>
          {name && <div className="agentnb-muted">{name}</div>}
          <SideBySide a={a} b={b} />
        </div>
      ))}
    </section>
  ) : null;
}

function SideBySide({ a, b }: { a: unknown; b: unknown }): JSX.Element {
  const lines = useMemo(() => folded(sideBySide(textOf(a), textOf(b))), [a, b]);
  return (
    <table className="agentnb-diff">
      <tbody>
        {lines.map((line, place) =>
          typeof line === 'number' ? (
            <tr key={place} className="agentnb-diff-fold">
              <td colSpan={2}>… {line} lines that are the same …</td>
            </tr>
          ) : (
            <tr key={place}>
              <td data-mark={line.same || line.a === null ? undefined : '−'}>{line.a}</td>
              <td data-mark={line.same || line.b === null ? undefined : '+'}>{line.b}</td>
            </tr>
          ),
        )}
      </tbody>
    </table>
  );
}

function differing(a: unknown, b: unknown): [string, [unknown, unknown]][] {
  return JSON.stringify(a ?? null) === JSON.stringify(b ?? null) ? [] : [['', [a, b]]];
}

function valueOf(side: StepSide | null, name: 'input' | 'output' | 'error'): unknown {
  return side?.[name] ?? null;
}

function textOf(value: unknown): string {
  return value === null || value === undefined ? '' : readable(value);
}
