import { JSX, useCallback } from 'react';

import { part } from '../api/client';
import { Run } from '../api/types';
import { useLoaded } from '../live/hooks';
import { isFinal } from '../live/runs';
import { useServices } from '../panels/services';
import { useNow } from '../ui/clock';
import { Empty, Skeleton, Trouble } from '../ui/states';

/** What the process of a job's run has said; read again every second while it goes on. */
export function LogTab({ run }: { run: Run }): JSX.Element {
  const { client } = useServices();
  const now = useNow(!isFinal(run.status));
  const load = useCallback(
    (signal: AbortSignal) => client.get<{ text: string; size: number }>(`/runs/${part(run.id)}/log`, {}, signal),
    [client, run.id, run.status, now], // eslint-disable-line react-hooks/exhaustive-deps
  );
  const { value, problem, reload } = useLoaded(load);
  if (!value) {
    return problem?.isMissing ? (
      <Empty title="No log">{problem.detail}</Empty>
    ) : problem ? (
      <Trouble problem={problem} onRetry={reload} />
    ) : (
      <Skeleton rows={8} />
    );
  }
  return (
    <pre className="agentnb-log" data-testid="agentnb-log" tabIndex={0}>
      {value.text || 'Nothing was said'}
    </pre>
  );
}
