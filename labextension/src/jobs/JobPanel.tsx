import { Button } from '@jupyterlab/ui-components';
import { JSX, useCallback, useEffect, useState } from 'react';

import { part } from '../api/client';
import { Firing, JobDetail, JobRunPage } from '../api/types';
import { ahead, compact, moment } from '../format';
import { useLoaded } from '../live/hooks';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { useNow } from '../ui/clock';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';
import { Tabs } from '../ui/Tabs';
import { Ago, Took } from '../ui/Time';
import { typedAll, typeOf } from './parameters';
import { RunNow } from './RunNow';
import { startsInWords } from './schedule';
import { lastRuns, useJobRuns } from './useJobRuns';

const TABS = [
  { id: 'history', title: 'History' },
  { id: 'firings', title: 'Firings' },
  { id: 'parameters', title: 'Parameters' },
];
const MOST = 100;

/** One job: when it is due, what is wrong with its file, its runs, the times that were skipped, its parameters. */
export function JobPanel({ args, keep, rename }: PanelProps): JSX.Element {
  const name = args.job ?? '';
  const { client, openFile } = useServices();
  const now = useNow();
  const minute = Math.floor(now / 60_000);
  const last = useJobRuns().get(name) ?? [];
  const state = last.map(run => `${run.id} ${run.status}`).join();
  const load = useCallback(
    (signal: AbortSignal) => client.get<JobDetail>(`/jobs/${part(name)}`, {}, signal),
    [client, name, state, minute], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value: job, problem, reload } = useLoaded(load);
  const [texts, setTexts] = useState<Readonly<Record<string, string>>>({});
  useEffect(() => rename(name), [rename, name]);
  if (!job) {
    return problem ? <Trouble problem={problem} onRetry={reload} /> : <Skeleton rows={8} />;
  }
  const tab = args.tab ?? 'history';
  return (
    <div className="agentnb-job" data-testid="agentnb-job" data-job={job.name}>
      <header className="agentnb-run-header">
        <div className="agentnb-run-title">
          <h2>{job.name}</h2>
          <span className="agentnb-muted">{job.description}</span>
          <span className="agentnb-space" />
          <RunNow name={job.name} ok={job.ok} last={lastRuns(job, last)[0]} parameters={typedAll(job, texts)} />
          <Button small minimal disabled={!job.source} onClick={() => openFile(job.source)}>
            Open {job.kind}
          </Button>
          <Button small minimal onClick={() => openFile(job.file)}>
            Edit job
          </Button>
        </div>
        <p className="agentnb-facts">
          <span title={job.trigger}>{startsInWords(job)}</span>
          <span>{job.file}</span>
        </p>
        {job.next.length > 0 && (
          <p className="agentnb-facts" data-testid="agentnb-job-next">
            Next:
            {job.next.slice(0, 5).map(at => (
              <span key={at} title={ahead(at, now)}>
                {moment(at)}
              </span>
            ))}
          </p>
        )}
      </header>
      {problem && <Trouble problem={problem} onRetry={reload} />}
      {job.findings.length > 0 && (
        <div className="agentnb-card agentnb-trouble" data-kind="error" data-testid="agentnb-job-findings" role="alert">
          <div className="agentnb-card-title">It can’t be run as it is</div>
          <ul>
            {job.findings.map((found, place) => (
              <li key={place}>
                {found.line > 0 && `line ${found.line}: `}
                {found.message}
                {found.mend && <span className="agentnb-muted"> {found.mend}</span>}
              </li>
            ))}
          </ul>
        </div>
      )}
      <Tabs label="Views of the job" tabs={TABS} value={tab} onChange={value => keep({ tab: value })} />
      <div className="agentnb-table-scroll">
        {tab === 'history' && <History name={name} state={state} />}
        {tab === 'firings' && <Firings name={name} state={state} />}
        {tab === 'parameters' && <Parameters job={job} texts={texts} onTexts={setTexts} />}
      </div>
    </div>
  );
}

function History({ name, state }: { name: string; state: string }): JSX.Element {
  const { client, open, openFile } = useServices();
  const load = useCallback(
    (signal: AbortSignal) => client.get<JobRunPage>(`/jobs/${part(name)}/runs`, { limit: MOST }, signal),
    [client, name, state], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  if (!value) {
    return problem ? <Trouble problem={problem} onRetry={reload} /> : <Skeleton rows={6} />;
  }
  if (!value.runs.length) {
    return (
      <Empty title="Never run" code={`agentnb jobs run ${name}`}>
        Run it here, or at a terminal; <code>agentnb jobs serve</code> runs it when it is due.
      </Empty>
    );
  }
  return (
    <table className="agentnb-table agentnb-job-table">
      <thead>
        <tr>
          {['Status', 'Started', 'Duration', 'By', 'What came of it', '', ''].map((title, place) => (
            <th key={place}>{title}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {value.runs.map(run => (
          <tr key={run.id} data-testid="agentnb-job-run-row" data-run={run.id} data-status={run.status}>
            <td>
              <button type="button" className="agentnb-link" onClick={() => open('run', { run: run.id, name })}>
                <Status name={run.status} note={run.reason === 'lost' ? 'lost' : ''} />
              </button>
            </td>
            <td>
              <Ago at={run.started_at} />
            </td>
            <td data-type="number">
              <Took run={run} />
            </td>
            <td className="agentnb-muted">{run.trigger}</td>
            <td className="agentnb-run-said" title={run.error?.message ?? run.output}>
              {compact(run.error?.message ?? '')}
            </td>
            <td>
              {run.output_path && (
                <button type="button" className="agentnb-link" onClick={() => openFile(run.output_path)}>
                  Output
                </button>
              )}
            </td>
            <td>
              <button
                type="button"
                className="agentnb-link"
                onClick={() => open('run', { run: run.id, name, tab: 'log' })}
              >
                Log
              </button>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Firings({ name, state }: { name: string; state: string }): JSX.Element {
  const { client, live, open } = useServices();
  const load = useCallback(
    (signal: AbortSignal) => client.get<{ firings: Firing[] }>(`/jobs/${part(name)}/firings`, { limit: MOST }, signal),
    [client, name, state], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  useEffect(
    () => live.watch('', events => events.some(event => event.data.job_name === name) && reload()),
    [live, name, reload],
  );
  if (!value) {
    return problem ? <Trouble problem={problem} onRetry={reload} /> : <Skeleton rows={6} />;
  }
  if (!value.firings.length) {
    return (
      <Empty title="Not due yet" code="agentnb jobs serve">
        Each time at which a scheduler has started the job, skipped it or missed it appears here. Start one:
      </Empty>
    );
  }
  return (
    <table className="agentnb-table agentnb-job-table">
      <thead>
        <tr>
          <th>Due</th>
          <th>Status</th>
          <th>Why</th>
          <th>Run</th>
        </tr>
      </thead>
      <tbody>
        {value.firings.map(firing => (
          <tr key={`${firing.trigger} ${firing.position}`} data-testid="agentnb-firing-row" data-status={firing.status}>
            <td>{firing.at ? moment(firing.at) : `event ${firing.position}`}</td>
            <td>{firing.status}</td>
            <td className="agentnb-muted">{firing.note}</td>
            <td>
              {firing.run_id && !['skipped', 'missed'].includes(firing.status) && (
                <button
                  type="button"
                  className="agentnb-link"
                  onClick={() => open('run', { run: firing.run_id, name })}
                >
                  Open
                </button>
              )}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

function Parameters(props: {
  job: JobDetail;
  texts: Readonly<Record<string, string>>;
  onTexts: (texts: Readonly<Record<string, string>>) => void;
}): JSX.Element {
  const { job, texts, onTexts } = props;
  const names = Object.keys(job.parameters);
  if (!names.length) {
    return <Empty title="No parameters">Tag the notebook’s cell that sets the defaults: parameters.</Empty>;
  }
  return (
    <table className="agentnb-table agentnb-job-table">
      <thead>
        <tr>
          <th>Parameter</th>
          <th>Type</th>
          <th>For the next run here</th>
        </tr>
      </thead>
      <tbody>
        {names.map(name => (
          <tr key={name}>
            <td>{name}</td>
            <td className="agentnb-muted">{typeOf(job.parameters[name] ?? {})}</td>
            <td>
              <input
                type="text"
                className="jp-mod-styled"
                aria-label={name}
                value={texts[name] ?? ''}
                placeholder={compact(job.values[name] ?? job.parameters[name]?.default ?? '')}
                onChange={event => onTexts({ ...texts, [name]: event.currentTarget.value })}
              />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
