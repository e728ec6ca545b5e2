import { JSX } from 'react';

import { Run } from '../api/types';
import { count, duration, money, plural } from '../format';
import { Followed, useRun } from '../live/hooks';
import { isFinal, tookMs } from '../live/runs';
import { useServices } from '../panels/services';
import { QuestionCard } from '../runs/QuestionCard';
import { ErrorCard, textOf } from '../runs/StepSheet';
import { useNow } from '../ui/clock';
import { Markdown } from '../ui/Markdown';
import { Skeleton } from '../ui/states';
import { Trace } from '../ui/Trace';
import { useDeltas } from './useDeltas';

/** One question of a chat and its answer, which streams; below it the steps, as in a cell. */
export function Turn({ runId, prompt, model }: { runId: string; prompt: string; model: string }): JSX.Element {
  const { open } = useServices();
  const followed = useRun(runId);
  const { run, detail, steps, deleted, problem } = followed;
  const active = run !== null && !isFinal(run.status);
  const written = useDeltas(runId, active);
  const now = useNow(active);
  const asked = prompt || promptOf(detail?.input);
  const answer = textOf(detail?.output) ?? written;
  return (
    <article className="agentnb-turn" data-testid="agentnb-turn" data-run={runId} data-status={run?.status}>
      <div className="agentnb-prompt">{asked}</div>
      {deleted ? (
        <p className="agentnb-muted">This run was deleted.</p>
      ) : run ? (
        <>
          {answer && <Markdown text={answer} />}
          {run.error && <ErrorCard type={run.error.type} message={run.error.message} />}
          {active &&
            detail?.questions.map(question => (
              <QuestionCard key={`${question.step_id} ${question.asked_at}`} question={question} />
            ))}
          <Trace
            status={run.status}
            line={lineOf(followed, run, model, now)}
            steps={steps}
            from={Date.parse(run.started_at)}
            to={run.ended_at ? Date.parse(run.ended_at) : now}
          />
          <div className="agentnb-actions agentnb-turn-actions">
            {isFinal(run.status) && answer && (
              <button type="button" className="agentnb-action" data-agentnb-copy={answer}>
                Copy
              </button>
            )}
            <button type="button" className="agentnb-action" data-agentnb-cell={`%%agent ${run.name}\n${asked}`}>
              Make this a cell
            </button>
            <button
              type="button"
              className="agentnb-action"
              onClick={() => open('run', { run: run.id, name: run.name })}
            >
              Open the run
            </button>
          </div>
        </>
      ) : problem ? (
        <ErrorCard type={problem.title} message={problem.detail} />
      ) : (
        <Skeleton rows={2} />
      )}
    </article>
  );
}

/** `model · 3 calls · 2 tools · 1.2k tokens · $0.0012 · 4.1 s`, or what goes on now. */
function lineOf({ steps }: Followed, run: Run, model: string, now: number): string {
  if (!isFinal(run.status)) {
    const going = [...steps.values()].filter(step => step.kind === 'tool' && step.status === 'running');
    const spent = tookMs(run, now);
    const seconds = spent === null ? '' : duration(Math.floor(spent / 1000) * 1000);
    return [model, ...going.map(step => step.name), seconds].filter(Boolean).join(' · ');
  }
  const { usage } = run;
  const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  return [
    model,
    usage.model_calls ? plural(usage.model_calls, 'call') : '',
    usage.tool_calls ? plural(usage.tool_calls, 'tool') : '',
    tokens ? `${count(tokens)} tokens` : '',
    usage.cost ? money(usage.cost) : '',
    duration(tookMs(run, now) ?? 0),
    usage.replayed ? 'replayed' : '',
    usage.cut_off ? 'cut off at max_tokens' : '',
  ]
    .filter(Boolean)
    .join(' · ');
}

function promptOf(input: unknown): string {
  const found = input !== null && typeof input === 'object' ? (input as Record<string, unknown>) : {};
  return typeof found.prompt === 'string' ? found.prompt : '';
}
