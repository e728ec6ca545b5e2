import { JSX, KeyboardEvent, useCallback, useMemo, useState } from 'react';

import { duration } from '../format';
import { beginOf, endOf, Span, Step, Steps } from '../live/steps';
import { useNow } from '../ui/clock';
import { useRows } from '../ui/rows';
import { Status } from '../ui/Status';
import { axisOf, Row, rowsOf, ticksOf } from './timeline';

/** Pixels; as in the stylesheet. */
const ROW = 24;
const TICKS = 6;

interface Props {
  steps: Steps;
  /** When the run began; when it ended, or empty. */
  from: string;
  to: string;
  selected: string;
  onSelect: (id: string) => void;
}

/** The steps of a run on a common time axis. */
export function Timeline({ steps, from, to, selected, onSelect }: Props): JSX.Element {
  const [open, setOpen] = useState<ReadonlySet<string>>(new Set());
  const rows = useMemo(() => rowsOf(steps, open), [steps, open]);
  const now = useNow(!to);
  const end = to ? Date.parse(to) : Math.max(now, Date.parse(from));
  const axis = useMemo(() => axisOf(steps, Date.parse(from), end, end), [steps, from, end]);
  const view = useRows(rows.length, ROW, ROW);
  const toggle = useCallback((id: string) => {
    setOpen(old => {
      const next = new Set(old);
      if (!next.delete(id)) {
        next.add(id);
      }
      return next;
    });
  }, []);
  const onKeyDown = (event: KeyboardEvent): void => {
    const place = rows.findIndex(row => row.step.id === selected);
    const row = rows[place];
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      event.preventDefault();
      const to_ = Math.max(0, Math.min(rows.length - 1, place + (event.key === 'ArrowDown' ? 1 : -1)));
      const next = rows[to_];
      if (next) {
        onSelect(next.step.id);
        view.reveal(to_);
      }
    } else if ((event.key === 'ArrowRight' || event.key === 'ArrowLeft') && row?.parts) {
      event.preventDefault();
      if (open.has(row.step.id) !== (event.key === 'ArrowRight')) {
        toggle(row.step.id);
      }
    } else if (event.key === 'Escape' && selected) {
      event.stopPropagation();
      onSelect('');
    }
  };
  const length = axis.to - axis.from;
  return (
    <div
      className="agentnb-timeline"
      ref={view.ref}
      role="tree"
      aria-label="Steps on a time axis"
      tabIndex={0}
      onKeyDown={onKeyDown}
      data-testid="agentnb-timeline"
    >
      <div className="agentnb-timeline-row agentnb-timeline-axis" aria-hidden>
        <span>{rows.length ? `${steps.size.toLocaleString()} ${steps.size === 1 ? 'step' : 'steps'}` : ''}</span>
        <span />
        <span className="agentnb-lane">
          {ticksOf(length, TICKS).map(tick => (
            <span key={tick} className="agentnb-tick" style={{ left: `${(100 * tick) / length}%` }}>
              {tick > 0 && tick < 0.93 * length ? short(tick) : ''}
            </span>
          ))}
        </span>
      </div>
      <div style={{ height: view.first * ROW }} />
      {rows.slice(view.first, view.last).map(row => (
        <TimelineRow
          key={row.step.id}
          row={row}
          axis={axis}
          end={end}
          open={open.has(row.step.id)}
          selected={row.step.id === selected}
          onSelect={onSelect}
          onToggle={toggle}
        />
      ))}
      <div style={{ height: (rows.length - view.last) * ROW }} />
    </div>
  );
}

function TimelineRow(props: {
  row: Row;
  axis: { from: number; to: number };
  end: number;
  open: boolean;
  selected: boolean;
  onSelect: (id: string) => void;
  onToggle: (id: string) => void;
}): JSX.Element {
  const { row, axis, end, open, selected, onSelect, onToggle } = props;
  const { step } = row;
  const status = step.replayed && step.status === 'completed' ? 'replayed' : step.status;
  return (
    <div
      className="agentnb-timeline-row"
      role="treeitem"
      aria-level={row.depth + 1}
      aria-selected={selected}
      aria-expanded={row.parts ? open : undefined}
      data-status={status}
      data-step={step.id}
      data-testid="agentnb-timeline-row"
      onClick={() => onSelect(selected ? '' : step.id)}
    >
      <span className="agentnb-timeline-name" style={{ paddingLeft: row.depth * 14 }} title={`${step.kind} ${step.id}`}>
        <Status name={status} quiet note={step.reason} />
        <span className="agentnb-timeline-label">{step.name && step.name !== step.id ? step.name : step.id}</span>
        <span className="agentnb-muted">{step.kind}</span>
        {row.parts > 0 && (
          <button
            type="button"
            className="agentnb-fold"
            tabIndex={-1}
            aria-label={open ? 'Hide its items' : 'Show its items'}
            onClick={event => {
              event.stopPropagation();
              onToggle(step.id);
            }}
          >
            {open ? '▾' : '▸'} {row.done}/{row.parts}
          </button>
        )}
        {step.attempts > 1 && <span className="agentnb-muted">×{step.attempts}</span>}
      </span>
      <span className="agentnb-number agentnb-muted">{timeOf(step, end)}</span>
      <span className="agentnb-lane">
        {step.spans.map((span, place) => (
          <Bar key={place} span={span} last={place === step.spans.length - 1} step={step} axis={axis} end={end} />
        ))}
      </span>
    </div>
  );
}

function Bar(props: {
  span: Span;
  last: boolean;
  step: Step;
  axis: { from: number; to: number };
  end: number;
}): JSX.Element {
  const { span, last, step, axis, end } = props;
  const length = axis.to - axis.from;
  const to = span.to ?? end;
  const status = span.status === 'waiting' ? 'waiting' : span.failed ? 'failed' : last ? endStatus(step) : 'completed';
  return (
    <span
      className="agentnb-bar-span"
      data-status={status}
      title={`${status} · ${duration(to - span.from)}${step.attempts > 1 ? ` · attempt ${span.attempt}` : ''}`}
      style={{ left: `${(100 * (span.from - axis.from)) / length}%`, width: `${(100 * (to - span.from)) / length}%` }}
    />
  );
}

function endStatus(step: Step): string {
  return step.replayed && step.status === 'completed' ? 'replayed' : step.status;
}

/** From its beginning to its end, waits included. */
function timeOf(step: Step, end: number): string {
  const begin = beginOf(step);
  if (begin === null) {
    return step.status === 'skipped' ? '' : '–';
  }
  const running = step.spans.at(-1)?.to === null;
  const took = endOf(step, end) - begin;
  return duration(running ? Math.floor(took / 1000) * 1000 : step.spans.length > 1 ? took : step.durationMs || took);
}

/** A mark of the axis: whole units without a nought behind the point. */
function short(milliseconds: number): string {
  return duration(milliseconds).replace(/\.0 s$| 00 [sm]$/, end => (end.startsWith('.') ? ' s' : ''));
}
