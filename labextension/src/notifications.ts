import { JupyterFrontEnd } from '@jupyterlab/application';
import { Notification } from '@jupyterlab/apputils';

import { Run } from './api/types';
import { compact } from './format';
import { isFinal, tookMs } from './live/runs';
import { Services } from './panels/services';

/** Nobody is told of what they see: of a question that was answered within so long, of a run that failed as fast. Milliseconds. */
const PATIENCE = 10_000;

/** Tells of runs that wait for an answer, and of those that failed; not of what was so before the page was opened. */
export function notifyOfRuns(app: JupyterFrontEnd, { live, settings, open }: Services): void {
  const seen = new Map<string, string>();
  const timers = new Map<string, number>();
  const told = new Map<string, string>();
  const begun = new Date().toISOString();
  live.subscribe(() => {
    for (const run of live.state().runs.values()) {
      const before = seen.get(run.id);
      if (before === run.status) {
        continue;
      }
      seen.set(run.id, run.status);
      window.clearTimeout(timers.get(run.id));
      if (run.parent || (before === undefined && run.started_at < begun)) {
        continue;
      }
      if (run.status === 'waiting') {
        timers.set(
          run.id,
          window.setTimeout(() => settings.notify && tell(run, 'info', `${run.name} waits for an answer.`), PATIENCE),
        );
      } else if (run.status === 'failed' && !(before && isFinal(before)) && settings.notifyFailed && matters(run)) {
        tell(run, 'error', `${run.name} failed: ${compact(run.error?.message ?? run.reason)}`);
      }
    }
  });
  const tell = (run: Run, kind: 'info' | 'error', message: string): void => {
    const isShown = [...app.shell.widgets('main')].some(
      widget => widget.id === `agentnb-run-${run.id}` && widget.isVisible,
    );
    if (!isShown) {
      const of = `${kind} ${run.name}`; // a job that fails each minute is told of once
      const before = told.get(of);
      if (before) {
        Notification.dismiss(before);
      }
      told.set(
        of,
        Notification.emit(message, kind, {
          autoClose: false,
          actions: [{ label: 'Open', callback: () => open('run', { run: run.id, name: run.name }) }],
        }),
      );
    }
  };
}

/** Whether somebody may have looked elsewhere when it failed. */
function matters(run: Run): boolean {
  return run.kind === 'job' || tookMs(run, Date.now()) >= PATIENCE;
}
