import { JSX, ReactNode, useCallback } from 'react';

import { part } from '../api/client';
import { Report, Run } from '../api/types';
import { count, duration, money } from '../format';
import { useLoaded } from '../live/hooks';
import { useServices } from '../panels/services';
import { Value } from '../ui/Json';
import { Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';

/** The report of a workflow's run: what it gave, what went well and what didn't, where the time and the money went. */
export function ReportTab({ run }: { run: Run }): JSX.Element {
  const { client } = useServices();
  const load = useCallback(
    (signal: AbortSignal) => client.get<{ report: Report }>(`/runs/${part(run.id)}/report`, {}, signal),
    [client, run.id, run.status], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  if (problem) {
    return <Trouble problem={problem} onRetry={reload} />;
  }
  if (!value) {
    return <Skeleton rows={8} />;
  }
  const { report } = value;
  const tokens = (report.usage.input_tokens ?? 0) + (report.usage.output_tokens ?? 0);
  return (
    <div className="agentnb-report" data-testid="agentnb-report">
      <dl className="agentnb-figures">
        {Object.entries(report.counts).map(([status, number]) => (
          <Figure key={status} label={<Status name={status} />} value={count(number)} />
        ))}
        {report.critical_path.length > 0 && (
          <Figure
            label="critical path"
            value={duration(report.critical_ms)}
            note={`${Math.round(report.critical_share * 100)} % of the time`}
          />
        )}
        <Figure label="parallelism" value={`${report.parallelism.toFixed(1)}×`} />
        {tokens > 0 && <Figure label="tokens" value={count(tokens)} />}
        {Boolean(report.usage.cost) && <Figure label="cost" value={money(report.usage.cost)} />}
      </dl>
      {report.critical_path.length > 0 && (
        <p>
          <span className="agentnb-muted">The time went into </span>
          {report.critical_path.join(' → ')}
        </p>
      )}
      {report.failures.length > 0 && (
        <Section title="Failures">
          <table className="agentnb-table">
            <thead>
              <tr>
                <th>Step</th>
                <th>Error</th>
                <th>Attempts</th>
                <th>What the workflow made of it</th>
              </tr>
            </thead>
            <tbody>
              {report.failures.map(failure => (
                <tr key={failure.step}>
                  <td>{failure.step}</td>
                  <td>
                    {failure.type}: {failure.message}
                  </td>
                  <td data-type="number">{failure.attempts}</td>
                  <td>{[failure.handling, failure.target].filter(Boolean).join(' → ')}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      {report.states.length > 0 && (
        <Section title="States">
          <table className="agentnb-table">
            <thead>
              <tr>
                <th>State</th>
                <th>Visit</th>
                <th>Event</th>
                <th>Time</th>
              </tr>
            </thead>
            <tbody>
              {report.states.map((visit, place) => (
                <tr key={place}>
                  <td>{visit.state}</td>
                  <td data-type="number">{visit.visit}</td>
                  <td>{visit.event}</td>
                  <td data-type="number">{duration(visit.spent_ms)}</td>
                </tr>
              ))}
            </tbody>
          </table>
        </Section>
      )}
      {report.not_begun.length > 0 && (
        <p>
          <span className="agentnb-muted">Never reached: </span>
          {report.not_begun.join(', ')}
        </p>
      )}
      <Value label="Outputs" value={report.outputs} />
    </div>
  );
}

function Figure({ label, value, note }: { label: ReactNode; value: string; note?: string }): JSX.Element {
  return (
    <div>
      <dt>{label}</dt>
      <dd>
        {value}
        {note && <small>{note}</small>}
      </dd>
    </div>
  );
}

function Section({ title, children }: { title: string; children: ReactNode }): JSX.Element {
  return (
    <section>
      <h4>{title}</h4>
      {children}
    </section>
  );
}
