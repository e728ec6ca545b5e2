import { Button } from '@jupyterlab/ui-components';
import { JSX, useState } from 'react';

import { part } from '../api/client';
import { LastRun, Run } from '../api/types';
import { isFinal } from '../live/runs';
import { useMay } from '../panels/me';
import { useServices } from '../panels/services';
import { cancelRun, said } from '../runs/actions';

const REFUSED = 'The server’s authorizer refuses this to you';

/** Runs a job now, or cancels the run that goes on. */
export function RunNow(props: {
  name: string;
  ok: boolean;
  last: LastRun | undefined;
  parameters?: Readonly<Record<string, unknown>>;
}): JSX.Element {
  const { name, ok, last, parameters = {} } = props;
  const { client, live } = useServices();
  const mayRun = useMay('execute', 'jobs');
  const mayCancel = useMay('execute', 'runs');
  const [busy, setBusy] = useState(false);
  const act = (work: Promise<void>): void => {
    setBusy(true);
    void work.finally(() => setBusy(false));
  };
  const start = (): Promise<void> =>
    said(async () => live.learn([await client.post<Run>(`/jobs/${part(name)}/runs`, { parameters })]));
  const changes = Object.keys(parameters).length;
  return last && !isFinal(last.status) ? (
    <Button
      small
      minimal
      disabled={busy || !mayCancel}
      title={mayCancel ? 'End the run that goes on' : REFUSED}
      onClick={() => act(cancelRun(client, live, last.id))}
      data-testid="agentnb-job-cancel"
    >
      Cancel
    </Button>
  ) : (
    <Button
      small
      minimal
      disabled={busy || !ok || !mayRun}
      title={!mayRun ? REFUSED : ok ? 'Run it now, in a process of its own' : 'Its file is wrong: see its findings'}
      onClick={() => act(start())}
      data-testid="agentnb-job-run"
    >
      {changes ? `Run with ${changes} changed` : 'Run now'}
    </Button>
  );
}
