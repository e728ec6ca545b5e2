import { JSX, useEffect, useRef, useState } from 'react';

import { asProblem, part } from '../api/client';
import { Question } from '../api/types';
import { left, readable } from '../format';
import { Answered, Given, mountQuestion } from '../graph';
import { useMay } from '../panels/me';
import { useServices } from '../panels/services';
import { useNow } from '../ui/clock';
import { Tree } from '../ui/Json';

/** What a run waits for, and how to answer it. */
export function QuestionCard({ question }: { question: Question }): JSX.Element {
  const isCall = question.kind === 'approval' && question.form === null;
  return isCall ? <ApprovalCard question={question} /> : <StepQuestion question={question} />;
}

/** What a step of a workflow asks: a form made from its JSON Schema, the same as in a notebook. */
function StepQuestion({ question }: { question: Question }): JSX.Element {
  const { client } = useServices();
  const may = useMay('execute', 'runs');
  const host = useRef<HTMLDivElement>(null);
  const asked = useRef(question);
  useEffect(() => {
    const { run_id, step_id: step, kind, prompt, form, verdicts, assignee, due, shown } = asked.current;
    const card = { step, kind, ticket: '', prompt, form, verdicts, assignee, due: due * 1000, shown: '' };
    const text = shown === null || shown === '' ? '' : readable(shown);
    const answer = async (given: Given): Promise<Answered> => {
      try {
        await client.post(`/runs/${part(run_id)}/answers`, { step_id: step, ...given });
        return { accepted: true, message: '' };
      } catch (reason) {
        return { accepted: false, message: asProblem(reason).message };
      }
    };
    return host.current ? mountQuestion(host.current, { ...card, shown: text }, answer) : undefined;
  }, [client]);
  return (
    <fieldset className="agentnb-question-host" disabled={!may}>
      <div ref={host} />
      {!may && <p className="agentnb-muted">You may not answer this.</p>}
    </fieldset>
  );
}

/** A tool call that an agent may make only where somebody approves it. */
function ApprovalCard({ question }: { question: Question }): JSX.Element {
  const { client } = useServices();
  const may = useMay('execute', 'runs');
  const call = question.shown as { tool?: string; arguments?: unknown } | null;
  const [edited, setEdited] = useState<string | null>(null);
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState(false);
  const now = useNow(question.due > 0);
  const answer = (verdict: string): void => {
    const given = verdict === 'approve' && edited !== null ? argumentsOf(edited) : undefined;
    if (typeof given === 'string') {
      setProblem(given);
      return;
    }
    setBusy(true);
    setProblem('');
    client
      .post(`/runs/${part(question.run_id)}/answers`, {
        step_id: question.step_id,
        verdict,
        ...(given && { arguments: given }),
      })
      .catch((reason: unknown) => {
        setBusy(false);
        setProblem(asProblem(reason).message);
      });
  };
  return (
    <form
      className="agentnb-card"
      data-kind="approval"
      data-testid="agentnb-question"
      data-lm-suppress-shortcuts="true"
      aria-label={question.prompt}
      onSubmit={event => {
        event.preventDefault();
        answer('approve');
      }}
    >
      <div className="agentnb-card-title">{question.prompt}</div>
      {(question.reason || question.effects) && (
        <div className="agentnb-muted">
          {[question.reason, question.effects && `effects: ${question.effects}`].filter(Boolean).join(' · ')}
        </div>
      )}
      {edited === null ? (
        <div className="agentnb-json">
          <Tree value={call?.arguments ?? question.shown} depth={0} />
        </div>
      ) : (
        <textarea
          className="agentnb-edit"
          aria-label="Arguments as JSON"
          rows={Math.min(12, edited.split('\n').length + 1)}
          value={edited}
          onChange={event => setEdited(event.currentTarget.value)}
        />
      )}
      <div className="agentnb-actions">
        <button type="submit" className="agentnb-first" disabled={busy || !may} data-testid="agentnb-approve">
          {edited === null ? 'Approve' : 'Approve as edited'}
        </button>
        <button
          type="button"
          disabled={busy || !may}
          aria-pressed={edited !== null}
          onClick={() => setEdited(edited === null ? JSON.stringify(call?.arguments ?? {}, null, 2) : null)}
        >
          Edit
        </button>
        <button type="button" disabled={busy || !may} onClick={() => answer('deny')} data-testid="agentnb-deny">
          Deny
        </button>
        {question.due > 0 && <span className="agentnb-muted">{left(question.due, now)}</span>}
        {!may && <span className="agentnb-muted">You may not answer this.</span>}
      </div>
      {problem && (
        <div className="agentnb-filter-problem" role="alert">
          {problem}
        </div>
      )}
    </form>
  );
}

/** The arguments that were written, or what is wrong with them. */
function argumentsOf(text: string): Record<string, unknown> | string {
  try {
    const found: unknown = JSON.parse(text);
    return found !== null && typeof found === 'object' && !Array.isArray(found)
      ? (found as Record<string, unknown>)
      : 'The arguments must be a JSON object';
  } catch (reason) {
    return `The arguments are no JSON: ${reason instanceof Error ? reason.message : ''}`;
  }
}
