import type { ReactElement } from 'react';

import { duration } from './format';
import { StatusIcon } from './icons';
import { useNow } from './live';
import type { Row } from './rows';
import { elapsed, isTicking, statusWord } from './status';
import type { RunState } from './types';

export interface ListProps {
  rows: Row[];
  run: RunState | null;
  selected: string;
  onSelect: (path: string) => void;
}

/** When each step ran: one row a step, all on one axis. */
export function Timeline({ rows, run, selected, onSelect }: ListProps): ReactElement {
  const now = useNow(run !== null && !run.ended_at);
  if (!run) {
    return <p className="agentnb-flow-empty">There is no run yet. A run's timeline stands here once it begins.</p>;
  }
  const spans = rows.map(row => spansOf(row, now));
  const start = run.started_at;
  const end = Math.max(start + 1, run.ended_at || now, ...spans.flat().map(span => span[1]));
  const share = (moment: number): number => (100 * Math.max(moment - start, 0)) / (end - start);
  return (
    <div className="agentnb-flow-timeline" data-testid="timeline" role="list" aria-label="Timeline">
      <div className="agentnb-flow-axis" aria-hidden="true">
        {ticks(end - start).map(tick => (
          <span key={tick} style={{ left: `${String((100 * tick) / (end - start))}%` }}>
            {duration(tick)}
          </span>
        ))}
      </div>
      {rows.map((row, place) => (
        <button
          key={row.path}
          type="button"
          role="listitem"
          className={`agentnb-flow-bar-row${row.path === selected ? ' agentnb-flow-selected' : ''}`}
          data-status={row.state?.status ?? 'queued'}
          data-testid={`bar:${row.path}`}
          title={[row.node.title, row.state ? statusWord(row.state) : 'queued', row.state?.error]
            .filter(Boolean)
            .join('\n')}
          onClick={() => onSelect(row.path)}
        >
          <span className="agentnb-flow-bar-name" style={{ paddingLeft: `${String(row.depth * 14)}px` }}>
            <StatusIcon status={row.state?.status ?? 'queued'} />
            <span>{row.node.title}</span>
          </span>
          <span className="agentnb-flow-bar-room">
            {(spans[place] ?? []).map(([from, to]) => (
              <span
                key={from}
                className="agentnb-flow-bar"
                style={{ left: `${String(share(from))}%`, width: `max(2px, ${String(share(to) - share(from))}%)` }}
              />
            ))}
          </span>
          <span className="agentnb-flow-number">{row.state ? spent(row, now) : ''}</span>
        </button>
      ))}
    </div>
  );
}

function spent({ state }: Row, now: number): string {
  const milliseconds = state ? elapsed(state, now) : 0;
  return milliseconds ? duration(milliseconds) : '';
}

function spansOf({ state }: Row, now: number): [number, number][] {
  if (state?.spans) {
    return state.spans.map(([from, to]) => [from, to || now]);
  }
  if (!state?.started_at) {
    return [];
  }
  return [
    [state.started_at, state.started_at + (isTicking(state) ? now - state.started_at : (state.duration_ms ?? 0))],
  ];
}

/** Round moments along an axis that is that long. */
export function ticks(milliseconds: number): number[] {
  const rough = milliseconds / 5;
  const power = 10 ** Math.floor(Math.log10(Math.max(rough, 1)));
  const step = [1, 2, 5, 10].map(times => times * power).find(size => size >= rough) ?? power * 10;
  return Array.from({ length: Math.floor(milliseconds / step + 1e-9) }, (_, place) => (place + 1) * step).filter(
    tick => tick < milliseconds * 0.96,
  );
}
