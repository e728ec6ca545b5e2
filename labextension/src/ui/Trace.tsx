import { JSX } from 'react';

import { duration } from '../format';
import { beginOf, endOf, gist, Step, Steps } from '../live/steps';
import { rowsOf } from '../runs/timeline';
import { Value } from './Json';
import { Status } from './Status';

const ALL: ReadonlySet<string> = new Set();

/** The quiet line below an answer, which unfolds to its steps: the same as in a cell. */
export function Trace(props: { status: string; line: string; steps: Steps; from: number; to: number }): JSX.Element {
  const { status, line, steps, from, to } = props;
  const summary = (
    <span className="agentnb-summary">
      <Status name={status} /> {line}
    </span>
  );
  if (!steps.size) {
    return <div data-testid="agentnb-summary">{summary}</div>;
  }
  const axis = Math.max(1, ...[...steps.values()].map(step => endOf(step, to) - from));
  return (
    <details className="agentnb-trace" data-testid="agentnb-trace">
      <summary data-testid="agentnb-summary">{summary}</summary>
      {rowsOf(steps, ALL).map(({ step, depth }) => (
        <TraceRow key={step.id} step={step} depth={depth} from={from} to={to} axis={axis} />
      ))}
    </details>
  );
}

function TraceRow(props: { step: Step; depth: number; from: number; to: number; axis: number }): JSX.Element {
  const { step, depth, from, to, axis } = props;
  const status = step.replayed && step.status === 'completed' ? 'replayed' : step.status;
  const said = gist(step);
  const begin = (beginOf(step) ?? from) - from;
  const took = step.durationMs || endOf(step, to) - from - begin;
  const place = { '--from': `${(100 * begin) / axis}%`, '--width': `${Math.max(0.5, (100 * took) / axis)}%` };
  return (
    <details className="agentnb-step" data-testid="agentnb-trace-step">
      <summary className="agentnb-row" data-status={status} style={place as React.CSSProperties}>
        <span className="agentnb-kind">{step.kind}</span>
        <span className="agentnb-name" style={{ paddingLeft: `${1.2 * depth}em` }}>
          {step.name} <Status name={status} />
          {said && ` · ${said}`}
        </span>
        <span className="agentnb-duration">{duration(took)}</span>
        <span className="agentnb-bar" />
      </summary>
      <div className="agentnb-trace-parts">
        <Value label="Input" value={step.input} />
        <Value label="Output" value={step.output} />
        <Value label="Error" value={step.error?.message} />
      </div>
    </details>
  );
}
