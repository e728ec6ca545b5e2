import { Dialog, Notification, showDialog } from '@jupyterlab/apputils';

import { asProblem, Client, part } from '../api/client';
import { Run } from '../api/types';
import { Live } from '../live/live';

/** Cancels a run, wherever it is executed. */
export async function cancelRun(client: Client, live: Live, id: string): Promise<void> {
  await said(async () => {
    await client.post(`/runs/${part(id)}/cancel`);
    await live.read(id);
  });
}

/** Goes on with a run whose process is gone; the server starts one for it. Of a job, that is a new run. */
export async function resumeRun(client: Client, live: Live, id: string, onBegun: (run: Run) => void): Promise<void> {
  await said(async () => {
    const run = await client.post<Run>(`/runs/${part(id)}/resume`);
    if (run.id === id) {
      await live.read(id);
    } else {
      live.learn([run]);
      onBegun(run);
    }
  });
}

/** Runs an ended run again, as a new one: what is the same in a workflow is taken over. */
export async function rerun(client: Client, live: Live, id: string, onBegun: (run: Run) => void): Promise<void> {
  await said(async () => {
    const run = await client.post<Run>(`/runs/${part(id)}/rerun`);
    live.learn([run]);
    onBegun(run);
  });
}

/** Deletes a run for good, after the question whether that is meant. */
export async function deleteRun(client: Client, live: Live, id: string, name: string): Promise<void> {
  const answer = await showDialog({
    title: `Delete this run of ${name}?`,
    body: `Its events, inputs and outputs are deleted for good (${id}).`,
    buttons: [Dialog.cancelButton(), Dialog.warnButton({ label: 'Delete' })],
    defaultButton: 0,
  });
  if (answer.button.accept) {
    await said(async () => {
      await client.remove(`/runs/${part(id)}`);
      live.forget(id);
    });
  }
}

/** Does something, and says what went wrong. */
export async function said(work: () => Promise<void>): Promise<void> {
  try {
    await work();
  } catch (reason) {
    const problem = asProblem(reason);
    Notification.error(problem.isForbidden ? `You may not do this. ${problem.detail}` : problem.message);
  }
}
