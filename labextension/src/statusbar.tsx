import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ReactWidget } from '@jupyterlab/ui-components';
import { IStatusBar } from '@jupyterlab/statusbar';
import { JSX, useEffect, useState, useSyncExternalStore } from 'react';

import { RunPage } from './api/types';
import { isFinal } from './live/runs';
import { notifyOfRuns } from './notifications';
import { IServices, Services } from './panels/services';

/** How many runs go on and how many wait for an answer; a notification says so of one that nobody answers, or that has failed. */
export const statusBarPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:statusbar',
  description:
    'Says in the status bar how many runs go on, and notifies of those that wait for an answer or have failed.',
  autoStart: true,
  requires: [IServices],
  optional: [IStatusBar],
  activate: (app: JupyterFrontEnd, services: Services, statusBar: IStatusBar | null) => {
    statusBar?.registerStatusItem('agentnb:runs', {
      item: ReactWidget.create(<Counts services={services} />),
      align: 'left',
      rank: 20,
    });
    notifyOfRuns(app, services);
  },
};

function Counts({ services }: { services: Services }): JSX.Element | null {
  const { live, settings, settingsChanged } = services;
  const { runs, connection } = useSyncExternalStore(live.subscribe, live.state);
  const [, redraw] = useState(0);
  useEffect(() => {
    const onChange = (): void => redraw(old => old + 1);
    settingsChanged.connect(onChange);
    return () => void settingsChanged.disconnect(onChange);
  }, [settingsChanged]);
  useEffect(() => {
    if (connection.state === 'live') {
      void learnOpenRuns(services);
    }
  }, [services, connection.state]);
  const open = [...runs.values()].filter(run => !isFinal(run.status) && !run.parent);
  const waiting = open.filter(run => run.status === 'waiting').length;
  const running = open.filter(run => run.status !== 'waiting' && !run.job).length;
  if (!settings.statusBar || connection.state === 'refused') {
    return null;
  }
  const said = [`${running} running`, waiting ? `${waiting} waiting for an answer` : ''].filter(Boolean).join(', ');
  return (
    <button
      type="button"
      className="agentnb-statusbar jp-StatusBar-TextItem"
      title={`agentnb: ${said}`}
      aria-label={`agentnb: ${said}. Open them`}
      data-testid="agentnb-statusbar"
      onClick={() => services.open('runs', { filter: open.length ? 'status:running,waiting,queued' : '' })}
    >
      {connection.state === 'lost' ? (
        <span>agentnb: no server</span>
      ) : running ? (
        <span className="agentnb-status" data-status="running">
          {running} running
        </span>
      ) : (
        <span>0 running</span>
      )}
      {waiting > 0 && (
        <span className="agentnb-status" data-status="waiting">
          {waiting} waiting
        </span>
      )}
    </button>
  );
}

/** Reads the runs that have not ended. */
async function learnOpenRuns({ client, live }: Services): Promise<void> {
  const read = async (status: string): Promise<void> =>
    live.learn((await client.get<RunPage>('/runs', { status, limit: 100 })).runs);
  await Promise.allSettled(['running', 'waiting', 'queued'].map(read)); // where the server is gone, its return is the next occasion
}
