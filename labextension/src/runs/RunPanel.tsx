import { Button } from '@jupyterlab/ui-components';
import { JSX, useEffect, useState } from 'react';

import { Run, RunDetail } from '../api/types';
import { Problem } from '../api/client';
import { shortId } from '../format';
import { Followed, useRun } from '../live/hooks';
import { isFinal } from '../live/runs';
import { useMay } from '../panels/me';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { Status } from '../ui/Status';
import { Tabs } from '../ui/Tabs';
import { Ago, Took } from '../ui/Time';
import { cancelRun, deleteRun, rerun, resumeRun } from './actions';
import { EventList } from './EventList';
import { GraphOfRun, GraphTab } from './GraphTab';
import { LogTab } from './LogTab';
import { QuestionCard } from './QuestionCard';
import { ReportTab } from './ReportTab';
import { RunSheet, StepSheet, UsageFacts } from './StepSheet';
import { Timeline } from './Timeline';
import { useBegun } from './useBegun';

const WORKFLOW_TABS = [
  { id: 'timeline', title: 'Timeline' },
  { id: 'graph', title: 'Graph' },
  { id: 'events', title: 'Events' },
  { id: 'report', title: 'Report' },
];
const AGENT_TABS = WORKFLOW_TABS.filter(tab => tab.id === 'timeline' || tab.id === 'events');
const JOB_TABS = [...AGENT_TABS, { id: 'log', title: 'Log' }];
const STEPS_TABS = [...WORKFLOW_TABS.filter(tab => tab.id !== 'report'), { id: 'log', title: 'Log' }];
const TABS = { workflow: WORKFLOW_TABS, agent: AGENT_TABS, job: JOB_TABS };

/** One run: what it is, what it waits for, its steps on a time axis, its graph, events and report. */
export function RunPanel({ args, keep, rename, close }: PanelProps): JSX.Element {
  const id = args.run ?? '';
  const followed = useRun(id);
  const { run, detail, problem, deleted, reload } = followed;
  const name = run?.name ?? args.name;
  const begun = useBegun(run);
  const workflow = begun.find(one => one.kind === 'workflow');
  useEffect(() => {
    if (name) {
      rename(`${name} ${shortId(id)}`);
    }
  }, [rename, name, id]);
  if (deleted) {
    return <Gone id={id} onClose={close} />;
  }
  if (!run || !detail) {
    return problem ? (
      problem.isMissing ? (
        <Gone id={id} onClose={close} />
      ) : (
        <Trouble problem={problem} onRetry={reload} />
      )
    ) : (
      <Skeleton rows={10} />
    );
  }
  const tabs = workflow ? STEPS_TABS : TABS[run.kind];
  const first = workflow ? 'graph' : 'timeline'; // the steps of such a job are those of its workflow
  const tab = tabs.some(found => found.id === args.tab) ? (args.tab ?? '') : first;
  return (
    <div className="agentnb-run" data-testid="agentnb-run" data-status={run.status}>
      <RunHeader followed={followed} detail={detail} begun={begun} />
      {problem && !problem.isGone && <Trouble problem={problem} onRetry={reload} />}
      {tab !== 'graph' && detail.questions.length > 0 && !isFinal(run.status) && (
        <div className="agentnb-questions" data-testid="agentnb-questions">
          {detail.questions.map(question => (
            <QuestionCard key={`${question.run_id} ${question.step_id} ${question.asked_at}`} question={question} />
          ))}
        </div>
      )}
      <Tabs label="Views of the run" tabs={tabs} value={tab} onChange={value => keep({ tab: value })} />
      {tab === 'timeline' && (
        <TimelineTab followed={followed} detail={detail} selected={args.step ?? ''} onSelect={step => keep({ step })} />
      )}
      {tab === 'graph' &&
        (workflow ? <GraphOfRun key={workflow.id} runId={workflow.id} /> : <GraphTab run={run} followed={followed} />)}
      {tab === 'events' && <EventList events={followed.events} complete={followed.complete} />}
      {tab === 'log' && <LogTab run={run} />}
      {tab === 'report' && <ReportTab run={run} />}
    </div>
  );
}

function TimelineTab(props: {
  followed: Followed;
  detail: RunDetail;
  selected: string;
  onSelect: (step: string) => void;
}): JSX.Element {
  const { followed, detail, selected, onSelect } = props;
  const { run, steps, events, complete } = followed;
  const step = steps.get(selected);
  if (!steps.size && !complete) {
    return <Skeleton rows={8} />;
  }
  return (
    <div className="agentnb-run-body">
      {steps.size ? (
        <Timeline
          steps={steps}
          from={run?.started_at ?? ''}
          to={run?.ended_at ?? ''}
          selected={selected}
          onSelect={onSelect}
        />
      ) : (
        <div className="agentnb-timeline">
          {run && isFinal(run.status) ? (
            <Empty title="No steps">It ended before its first one.</Empty>
          ) : (
            <Empty title="No steps yet">
              Each call of a model or a tool, and each step of a workflow, appears here.
            </Empty>
          )}
        </div>
      )}
      {step ? (
        <StepSheet key={step.id} step={step} events={events} onClose={() => onSelect('')} />
      ) : (
        <RunSheet run={detail} />
      )}
    </div>
  );
}

function RunHeader(props: { followed: Followed; detail: RunDetail; begun: readonly Run[] }): JSX.Element | null {
  const { followed, detail, begun } = props;
  const { client, live, open } = useServices();
  const mayChange = useMay('execute', 'runs');
  const mayDelete = useMay('write', 'runs');
  const { run } = followed;
  const [busy, setBusy] = useState(false);
  if (!run) {
    return null;
  }
  const act = (work: Promise<void>): void => {
    setBusy(true);
    void work.finally(() => setBusy(false));
  };
  const show = (made: Run): void => open('run', { run: made.id, name: made.name });
  const ended = isFinal(run.status);
  const lost = run.reason === 'lost';
  const failed = run.status === 'failed' || run.status === 'cancelled';
  const canResume = lost || (run.kind === 'job' ? failed : detail.resumable && run.status !== 'waiting');
  const refused = 'The server’s authorizer refuses this to you';
  return (
    <header className="agentnb-run-header">
      <div className="agentnb-run-title">
        <Status name={run.status} note={run.reason === run.status || run.reason === 'error' ? '' : run.reason} />
        <h2 title={run.name}>{run.name}</h2>
        <span className="agentnb-space" />
        {canResume && (
          <Button
            small
            minimal
            disabled={busy || !mayChange}
            title={
              !mayChange
                ? refused
                : run.kind === 'job'
                  ? 'Run it again: what its agents and workflows had finished is taken over'
                  : 'Go on after its last finished step'
            }
            onClick={() => act(resumeRun(client, live, run.id, show))}
            data-testid="agentnb-resume"
          >
            Resume
          </Button>
        )}
        {(!ended || lost) && (
          <Button
            small
            minimal
            disabled={busy || !mayChange}
            title={mayChange ? 'End it, wherever it is executed' : refused}
            onClick={() => act(cancelRun(client, live, run.id))}
            data-testid="agentnb-cancel"
          >
            Cancel
          </Button>
        )}
        {ended && !lost && (
          <Button
            small
            minimal
            disabled={busy || !mayChange}
            title={mayChange ? 'Run it again as a new run; what is the same is taken over' : refused}
            onClick={() => act(rerun(client, live, run.id, show))}
            data-testid="agentnb-rerun"
          >
            Run again
          </Button>
        )}
        {ended && !lost && (
          <Button
            small
            minimal
            disabled={busy || !mayDelete}
            title={mayDelete ? 'Delete it for good' : refused}
            onClick={() => act(deleteRun(client, live, run.id, run.name))}
            data-testid="agentnb-delete"
          >
            Delete…
          </Button>
        )}
      </div>
      <p className="agentnb-facts">
        <span>{run.kind}</span>
        <span>
          started <Ago at={run.started_at} />
          {run.user && ` by ${run.user}`}
        </span>
        <Took run={run} />
        <UsageFacts usage={run.usage} />
        {run.session && <span>session {run.session}</span>}
        {run.parent && (
          <button type="button" className="agentnb-link" onClick={() => open('run', { run: run.parent })}>
            part of {shortId(run.parent)}
          </button>
        )}
        {run.job && (
          <button type="button" className="agentnb-link" onClick={() => open('run', { run: run.job })}>
            of the job’s run {shortId(run.job)}
          </button>
        )}
        {begun.slice(0, 10).map(one => (
          <button
            key={one.id}
            type="button"
            className="agentnb-link"
            title={`The ${one.kind} ${one.name} that it has begun: ${one.status}`}
            data-testid="agentnb-begun"
            onClick={() => show(one)}
          >
            {one.kind} {shortId(one.id)}
          </button>
        ))}
        {detail.rerun_of && (
          <button
            type="button"
            className="agentnb-link"
            title="Compare the two"
            onClick={() => open('compare', { a: detail.rerun_of, b: run.id })}
          >
            runs {shortId(detail.rerun_of)} again
          </button>
        )}
        {!ended && !detail.alive && run.status !== 'waiting' && <span>no process executes it now</span>}
        <span className="agentnb-run-id">{run.id}</span>
      </p>
    </header>
  );
}

/** A run that is not there, or no longer. */
function Gone({ id, onClose }: { id: string; onClose: () => void }): JSX.Element {
  return (
    <div className="agentnb-gone" data-testid="agentnb-gone">
      <Trouble problem={new Problem(404, 'This run is gone', `${id} was deleted, or is in another store.`)} />
      <div className="agentnb-actions">
        <Button small minimal onClick={onClose}>
          Close
        </Button>
      </div>
    </div>
  );
}
