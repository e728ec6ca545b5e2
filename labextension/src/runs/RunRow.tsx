import { JSX, memo } from 'react';

import { Run } from '../api/types';
import { compact, count, money, shortId } from '../format';
import { useServices } from '../panels/services';
import { Status } from '../ui/Status';
import { Ago, Took } from '../ui/Time';

/** Pixels; as in the stylesheet. */
export const ROW_HEIGHT = 26;
export const HEAD_HEIGHT = 26;

const COLUMNS = ['', 'Status', 'Name', 'Kind', 'Started', 'Duration', 'Tokens', 'Cost', 'What came of it', 'Run'];

/** The head of the table of runs. */
export function RunHead(): JSX.Element {
  return (
    <div className="agentnb-run-row agentnb-run-head" role="row" aria-rowindex={1}>
      {COLUMNS.map(name => (
        <span key={name} role="columnheader" data-column={name}>
          {name}
        </span>
      ))}
    </div>
  );
}

interface Props {
  run: Run;
  place: number;
  chosen: boolean;
  current: boolean;
  onToggle: (id: string) => void;
  onCurrent: (id: string) => void;
}

/** One run in the table. */
export const RunRow = memo(function RunRow({ run, place, chosen, current, onToggle, onCurrent }: Props): JSX.Element {
  const { open } = useServices();
  const { usage } = run;
  const tokens = (usage.input_tokens ?? 0) + (usage.output_tokens ?? 0);
  const said = run.error?.message ?? (run.reason === 'lost' ? 'its process is gone: resume it' : run.reason);
  return (
    <div
      id={`agentnb-row-${run.id}`}
      className="agentnb-run-row"
      role="row"
      aria-rowindex={place + 2}
      aria-selected={chosen}
      data-current={current || undefined}
      data-testid="agentnb-run-row"
      data-run={run.id}
      data-status={run.status}
      onClick={() => {
        onCurrent(run.id);
        open('run', { run: run.id, name: run.name });
      }}
    >
      <span role="gridcell" onClick={event => event.stopPropagation()}>
        <input
          type="checkbox"
          checked={chosen}
          tabIndex={-1}
          aria-label={`Choose ${run.name} ${shortId(run.id)}`}
          onChange={() => onToggle(run.id)}
        />
      </span>
      <span role="gridcell">
        <Status name={run.status} />
      </span>
      <span role="gridcell" className="agentnb-run-name" title={run.name}>
        {run.parent && (
          <span className="agentnb-muted" title={`part of ${run.parent}`}>
            ↳{' '}
          </span>
        )}
        {run.name}
      </span>
      <span role="gridcell" className="agentnb-muted">
        {run.kind}
      </span>
      <span role="gridcell" className="agentnb-muted">
        <Ago at={run.started_at} />
      </span>
      <span role="gridcell" className="agentnb-number">
        <Took run={run} />
      </span>
      <span role="gridcell" className="agentnb-number">
        {tokens ? count(tokens) : ''}
      </span>
      <span role="gridcell" className="agentnb-number">
        {usage.cost ? money(usage.cost) : ''}
      </span>
      <span role="gridcell" className="agentnb-run-said" title={run.error?.message ?? run.reason}>
        {compact(said)}
      </span>
      <span role="gridcell" className="agentnb-run-id" title={run.id}>
        {shortId(run.id)}
      </span>
    </div>
  );
});
