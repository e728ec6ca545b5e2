import { Button } from '@jupyterlab/ui-components';
import { JSX, useCallback, useEffect } from 'react';

import { Job, JobPage, LastRun } from '../api/types';
import { ahead, moment, plural } from '../format';
import { useLoaded } from '../live/hooks';
import { useServices } from '../panels/services';
import { useNow } from '../ui/clock';
import { Sparkline } from '../ui/Sparkline';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';
import { Ago } from '../ui/Time';
import { RunNow } from './RunNow';
import { startsInWords } from './schedule';
import { lastRuns, useJobRuns } from './useJobRuns';

const MOST = 500;
const COLUMNS = ['Job', 'Runs', 'Starts', 'Next', 'Last run', 'Durations', ''];

/** The jobs of the folder as a table: what starts them, when they are due, how they went. */
export function JobsPanel(): JSX.Element {
  const { client, live } = useServices();
  const minute = Math.floor(useNow() / 60_000);
  const load = useCallback(
    (signal: AbortSignal) => client.get<JobPage>('/jobs', { limit: MOST }, signal),
    [client, minute], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  const byName = useJobRuns();
  useEffect(
    () => live.watch('', events => events.some(event => event.type.startsWith('job.')) && reload()),
    [live, reload],
  );
  return (
    <div className="agentnb-jobs" data-testid="agentnb-jobs">
      <div className="agentnb-bar-top">
        <span className="agentnb-muted">{value && `Jobs of ${value.folder}`}</span>
        <span className="agentnb-space" />
        <span className="agentnb-muted agentnb-figure">{value ? plural(value.jobs.length, 'job') : ''}</span>
        <Button small minimal onClick={reload} title="Read the files again">
          Reload
        </Button>
      </div>
      {problem && <Trouble problem={problem} onRetry={reload} />}
      {value ? (
        value.jobs.length ? (
          <div className="agentnb-table-scroll">
            <table className="agentnb-table agentnb-job-table">
              <thead>
                <tr>
                  {COLUMNS.map(name => (
                    <th key={name}>{name}</th>
                  ))}
                </tr>
              </thead>
              <tbody>
                {value.jobs.map(job => (
                  <JobRow key={job.file} job={job} live={byName.get(job.name) ?? []} />
                ))}
              </tbody>
            </table>
          </div>
        ) : (
          <Empty
            title="No jobs yet"
            code={`mkdir -p papermill_jobs && printf 'notebook: ../report.ipynb\\nname: report\\nschedule: {cron: "0 6 * * 1-5"}\\n' > papermill_jobs/report.yaml`}
          >
            A job is a notebook or a workflow that runs by itself: a file in {value.folder}. This makes one, of
            report.ipynb on weekdays at six; <code>agentnb jobs serve</code> runs it when it is due.
          </Empty>
        )
      ) : (
        !problem && <Skeleton rows={8} />
      )}
    </div>
  );
}

function JobRow({ job, live }: { job: Job; live: readonly LastRun[] }): JSX.Element {
  const { open } = useServices();
  const now = useNow();
  const runs = lastRuns(job, live);
  const last = runs[0];
  const marks = runs
    .filter(run => run.duration_ms !== null)
    .map(run => ({ id: run.id, status: run.status, milliseconds: run.duration_ms ?? 0 }))
    .reverse();
  return (
    <tr data-testid="agentnb-job-row" data-job={job.name} data-status={last?.status ?? ''}>
      <td>
        <button
          type="button"
          className="agentnb-link"
          title={job.description || job.file}
          onClick={() => open('job', { job: job.name })}
        >
          {job.name}
        </button>
      </td>
      <td className="agentnb-muted" title={job.source}>
        {job.source.split('/').at(-1)}
      </td>
      {job.findings.length ? (
        <td colSpan={2} className="agentnb-job-wrong" title={job.findings[0]?.message}>
          {plural(job.findings.length, 'finding')}
          {job.findings[0]?.line ? `, line ${job.findings[0].line}` : ''}: {job.findings[0]?.message}
        </td>
      ) : (
        <>
          <td title={job.trigger}>{startsInWords(job)}</td>
          <td title={job.next[0] ? moment(job.next[0]) : ''}>{job.next[0] ? ahead(job.next[0], now) : ''}</td>
        </>
      )}
      <td>
        {last ? (
          <button type="button" className="agentnb-link" onClick={() => open('run', { run: last.id, name: job.name })}>
            <Status name={last.status} note={last.reason === 'lost' ? 'lost' : ''} /> <Ago at={last.started_at} />
          </button>
        ) : (
          <span className="agentnb-muted">never run</span>
        )}
      </td>
      <td>
        <Sparkline marks={marks} label={`Durations of the last ${plural(marks.length, 'run')}`} />
      </td>
      <td>
        <RunNow name={job.name} ok={job.ok} last={last} />
      </td>
    </tr>
  );
}
