import { Dialog, showDialog } from '@jupyterlab/apputils';
import { Widget } from '@lumino/widgets';
import { useState, type JSX } from 'react';

import { asProblem } from '../api/client';
import type { Run } from '../api/types';
import { formOf } from '../graph/form';
import { useMay } from '../panels/me';
import { useServices } from '../panels/services';
import { cancelRun } from '../runs/actions';
import type { Watched } from './running';
import type { EditorStore } from './store';
import { isRecord } from './text/rendering';
import { useEditor } from './useEditor';

const ENDED = ['completed', 'failed', 'cancelled'];

interface RunBarProps {
  store: EditorStore;
  runId: string;
  watched: Watched;
  onRun: (runId: string) => void;
}

/** Runs the text as it stands, and says how the run goes. */
export function RunBar({ store, runId, watched, onRun }: RunBarProps): JSX.Element {
  const services = useServices();
  const may = useMay('execute', 'runs');
  const { findings, stale, model } = useEditor(store);
  const [busy, setBusy] = useState(false);
  const [problem, setProblem] = useState('');
  const errors = findings.filter(one => one.severity === 'error').length;
  const { run, deleted } = watched;
  const isOpen = runId !== '' && !deleted && !(run && ENDED.includes(run.status));
  const start = async (): Promise<void> => {
    const inputs = await askedInputs(model.source.data);
    if (!inputs) {
      return;
    }
    setBusy(true);
    setProblem('');
    try {
      const body = { text: store.text, file: store.file, inputs };
      const begun = await services.client.post<Run>('/runs', body);
      services.live.learn([begun]);
      onRun(begun.id);
    } catch (reason) {
      const found = asProblem(reason);
      setProblem(found.isForbidden ? `You may not run workflows here. ${found.detail}` : found.message);
    } finally {
      setBusy(false);
    }
  };
  const blocked = !may
    ? 'You may not run workflows here: ask who runs this server for permission'
    : stale || errors
      ? 'Mend the errors first'
      : '';
  return (
    <div className="agentnb-editor-runbar">
      {isOpen ? (
        <button
          type="button"
          data-testid="stop"
          onClick={() => void cancelRun(services.client, services.live, runId)}
          title="Cancel the run"
        >
          ■ Stop
        </button>
      ) : (
        <button
          type="button"
          className="agentnb-first"
          data-testid="run"
          disabled={busy || blocked !== ''}
          title={blocked || 'Run this text, saved or not, and watch it here'}
          onClick={() => void start()}
        >
          ▶ Run
        </button>
      )}
      {runId && (
        <span
          className="agentnb-editor-runstate"
          role="status"
          data-testid="run-status"
          data-status={run?.status ?? ''}
        >
          {deleted ? (
            'This run was deleted'
          ) : (
            <>
              <span className="agentnb-status" data-status={run?.status ?? 'queued'}>
                {run?.status ?? 'queued'}
              </span>
              {run?.error && <span title={run.error.message}> {run.error.message}</span>}
              {run && run.questions.length > 0 && (
                <button
                  type="button"
                  className="agentnb-editor-link"
                  onClick={() => services.open('run', { run: runId })}
                >
                  answer {run.questions[0]?.step_id}
                </button>
              )}
              <button
                type="button"
                className="agentnb-editor-link"
                data-testid="open-run"
                onClick={() => services.open('run', { run: runId })}
              >
                open
              </button>
            </>
          )}
          {!isOpen && (
            <button type="button" className="agentnb-editor-link" data-testid="leave-run" onClick={() => onRun('')}>
              back to editing
            </button>
          )}
        </span>
      )}
      {problem && (
        <span className="agentnb-editor-problem" role="alert">
          {problem}
        </span>
      )}
    </div>
  );
}

/** Asks for the inputs, where there are any; null where somebody has thought better of it. */
async function askedInputs(data: unknown): Promise<Record<string, unknown> | null> {
  const schemas = isRecord(data) && isRecord(data.inputs) ? data.inputs : {};
  const names = Object.keys(schemas);
  if (!names.length) {
    return {};
  }
  const required = names.filter(name => !isRecord(schemas[name]) || schemas[name].default === undefined);
  const form = formOf({ type: 'object', properties: schemas, required });
  const body = new Widget();
  body.addClass('agentnb-editor-inputs');
  body.node.append(...form.nodes);
  const answer = await showDialog({
    title: 'Run with these inputs',
    body,
    buttons: [Dialog.cancelButton(), Dialog.okButton({ label: 'Run' })],
  });
  const given = form.read();
  return answer.button.accept ? (isRecord(given) ? given : {}) : null;
}
