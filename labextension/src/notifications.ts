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
  const told = new Map<string, { run: Run; id: string }>();
  const begun = new Date().toISOString();
  const isShown = (run: Run): boolean =>
    [...app.shell.widgets('main')].some(widget => widget.id === `agentnb-run-${run.id}` && widget.isVisible) ||
    (run.status === 'waiting' && isAsked(run));
  const tell = (run: Run, kind: 'info' | 'error', said: string): void => {
    if (isShown(run)) {
      return;
    }
    const name = compact(run.name, 60);
    const of = `${kind} ${run.name}`; // of a job that fails each minute, the newest is enough
    untell(other => other === of);
    const id = Notification.emit(`${name} ${said}`, kind, {
      autoClose: false,
      actions: [{ label: 'Open', callback: () => open('run', { run: run.id, name: run.name }) }],
    });
    told.set(of, { run, id });
  };
  const untell = (which: (of: string, run: Run) => boolean): void => {
    for (const [of, { run, id }] of told) {
      if (which(of, run)) {
        told.delete(of);
        Notification.dismiss(id);
      }
    }
  };
  app.shell.currentChanged?.connect(() => untell((_, run) => isShown(run)));
  live.subscribe(() => {
    for (const run of live.state().runs.values()) {
      const before = seen.get(run.id);
      if (before === run.status) {
        continue;
      }
      seen.set(run.id, run.status);
      window.clearTimeout(timers.get(run.id));
      untell((_, other) => other.id === run.id);
      if (run.parent || (before === undefined && run.started_at < begun)) {
        continue;
      }
      if (run.status === 'waiting') {
        const later = (): void => {
          if (settings.notify) {
            tell(run, 'info', 'waits for an answer.');
          }
        };
        timers.set(run.id, window.setTimeout(later, PATIENCE));
      } else if (run.status === 'failed' && !(before && isFinal(before)) && settings.notifyFailed && matters(run)) {
        const sayWhy = (found: Run): void =>
          tell(found, 'error', `failed: ${compact(found.error?.message ?? found.reason)}`);
        live.read(run.id).then(sayWhy, () => sayWhy(run)); // an event that it failed doesn't say why
      }
    }
  });
}

/** Whether the question can be seen: in a chat, or in a cell, where cards say whose they are, but not of which run. */
function isAsked({ id, name }: Run): boolean {
  const cards = [
    ...document.querySelectorAll(`.agentnb-turn[data-run="${CSS.escape(id)}"]`),
    ...document.querySelectorAll(`.agentnb-flow[aria-label="${CSS.escape(`Workflow ${name}`)}"] .agentnb-flow-asked`),
    ...[...document.querySelectorAll('.agentnb-question[data-state="waiting"]')].filter(card =>
      card.textContent.startsWith(`${name} wants to call `),
    ),
  ];
  return cards.some(card => {
    const { top, bottom, width } = card.getBoundingClientRect();
    return width > 0 && bottom > 0 && top < window.innerHeight;
  });
}

/** Whether somebody may have looked elsewhere when it failed. */
function matters(run: Run): boolean {
  return run.kind === 'job' || (!run.job && (tookMs(run, Date.now()) ?? 0) >= PATIENCE);
}
