import { Button, InputGroup } from '@jupyterlab/ui-components';
import { JSX, KeyboardEvent, useCallback, useEffect, useMemo, useRef, useState } from 'react';

import { plural } from '../format';
import { useLive } from '../live/hooks';
import { isFinal, tookMs } from '../live/runs';
import { FIRST_CELL } from '../newnotebook';
import { PanelProps } from '../panels/registry';
import { useServices } from '../panels/services';
import { useNow } from '../ui/clock';
import { useRows } from '../ui/rows';
import { Sparkline } from '../ui/Sparkline';
import { Empty, Skeleton, Trouble } from '../ui/states';
import { parseFilter, toggleWord } from './filter';
import { HEAD_HEIGHT, ROW_HEIGHT, RunHead, RunRow } from './RunRow';
import { useRuns } from './useRuns';

/** Durations that the sparkline shows. */
const MARKS = 24;

/** Statuses that can be chosen with the pointer. */
const CHOICES = ['running', 'waiting', 'failed', 'completed'];

/** All runs: a dense table, live; filtered by typing; two of them can be compared. */
export function RunsPanel({ args, keep }: PanelProps): JSX.Element {
  const { open, settings } = useServices();
  const text = args.filter ?? settings.runsFilter;
  const minute = Math.floor(useNow() / 60_000);
  const filter = useMemo(() => parseFilter(text, Math.max(minute * 60_000, Date.now())), [text, minute]);
  const found = useRuns(filter);
  const [chosen, setChosen] = useState<readonly string[]>([]);
  const setFilter = useCallback((value: string) => keep({ filter: value }), [keep]);
  const toggle = useCallback(
    (id: string) => setChosen(old => (old.includes(id) ? old.filter(other => other !== id) : [...old, id].slice(-2))),
    [],
  );
  const { deleted } = useLive();
  const { more } = found;
  const older = found.runs.length ? null : more; // what passes may be further back
  useEffect(() => older?.(), [older]);
  const pair = chosen.filter(id => !deleted.has(id));
  const compare = (): void => {
    const byTime = [...pair].sort((a, b) => order(found.runs, a) - order(found.runs, b));
    open('compare', { a: byTime[1] ?? '', b: byTime[0] ?? '' });
  };
  return (
    <div className="agentnb-runs" data-testid="agentnb-runs">
      <div className="agentnb-bar-top">
        <FilterInput text={text} onText={setFilter} problem={filter.problem} />
        <div className="agentnb-choices" role="group" aria-label="Statuses">
          {CHOICES.map(status => {
            const word = `status:${status}`;
            const pressed = text.split(/\s+/).includes(word);
            return (
              <button
                key={status}
                type="button"
                className="agentnb-choice"
                aria-pressed={pressed}
                onClick={() => setFilter(toggleWord(withoutStatus(text, word), word))}
              >
                <span className="agentnb-status" data-status={status}>
                  {status}
                </span>
              </button>
            );
          })}
        </div>
        <span className="agentnb-space" />
        <DurationLine runs={found.runs} />
        <span className="agentnb-muted agentnb-figure" data-testid="agentnb-runs-count">
          {older ? '' : `${plural(found.runs.length, 'run')}${more ? ' and more' : ''}`}
        </span>
        <Button
          small
          minimal
          disabled={pair.length !== 2}
          title={pair.length === 2 ? 'Compare the two chosen runs' : 'Choose two runs to compare them'}
          onClick={compare}
          data-testid="agentnb-compare-button"
        >
          Compare{pair.length ? ` (${pair.length})` : ''}
        </Button>
      </div>
      {found.problem && <Trouble problem={found.problem} onRetry={found.reload} />}
      {(found.loading && !found.runs.length) || older ? (
        <Skeleton rows={12} />
      ) : found.runs.length ? (
        <RunTable runs={found.runs} chosen={pair} onToggle={toggle} more={more} />
      ) : (
        !found.problem && <NoRuns filtered={text.trim() !== ''} onClear={() => setFilter('')} />
      )}
    </div>
  );
}

function RunTable(props: {
  runs: ReturnType<typeof useRuns>['runs'];
  chosen: readonly string[];
  onToggle: (id: string) => void;
  more: (() => void) | null;
}): JSX.Element {
  const { runs, chosen, onToggle, more } = props;
  const { open } = useServices();
  const rows = useRows(runs.length, ROW_HEIGHT, HEAD_HEIGHT);
  const [current, setCurrent] = useState('');
  const place = Math.max(
    0,
    runs.findIndex(run => run.id === current),
  );
  const { last } = rows;
  useEffect(() => {
    if (more && last >= runs.length) {
      more();
    }
  }, [more, last, runs.length]);
  const move = (event: KeyboardEvent, to: number): void => {
    const next = runs[Math.max(0, Math.min(runs.length - 1, to))];
    event.preventDefault();
    if (next) {
      setCurrent(next.id);
      rows.reveal(runs.indexOf(next));
    }
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const run = runs[place];
    const steps: Readonly<Record<string, number>> = { ArrowDown: 1, ArrowUp: -1, PageDown: 20, PageUp: -20 };
    const step = steps[event.key];
    if (step !== undefined) {
      move(event, current ? place + step : 0);
    } else if (event.key === 'Home' || event.key === 'End') {
      move(event, event.key === 'Home' ? 0 : runs.length - 1);
    } else if (run && event.key === 'Enter') {
      event.preventDefault();
      open('run', { run: run.id, name: run.name });
    } else if (run && event.key === ' ') {
      event.preventDefault();
      onToggle(run.id);
    }
  };
  const shown = runs.slice(rows.first, rows.last);
  const active = runs[place];
  return (
    <div
      className="agentnb-table-scroll"
      ref={rows.ref}
      role="grid"
      aria-label="Runs"
      aria-rowcount={runs.length + 1}
      aria-activedescendant={active && current ? `agentnb-row-${active.id}` : undefined}
      aria-multiselectable
      tabIndex={0}
      onKeyDown={onKeyDown}
    >
      <RunHead />
      <div style={{ height: rows.first * ROW_HEIGHT }} />
      {shown.map((run, offset) => (
        <RunRow
          key={run.id}
          run={run}
          place={rows.first + offset}
          chosen={chosen.includes(run.id)}
          current={run.id === current}
          onToggle={onToggle}
          onCurrent={setCurrent}
        />
      ))}
      <div style={{ height: Math.max(0, runs.length - rows.last) * ROW_HEIGHT }} />
    </div>
  );
}

function FilterInput(props: { text: string; onText: (text: string) => void; problem: string }): JSX.Element {
  const [typed, setTyped] = useState(props.text);
  const kept = useRef(props.text);
  useEffect(() => {
    if (props.text !== kept.current) {
      kept.current = props.text;
      setTyped(props.text); // a button has changed it
    }
  }, [props.text]);
  const change = (value: string): void => {
    kept.current = value;
    setTyped(value);
    props.onText(value);
  };
  return (
    <div className="agentnb-filter">
      <InputGroup
        type="text"
        value={typed}
        placeholder="Filter: status:failed agent:helper today"
        aria-label="Filter of runs"
        aria-invalid={props.problem !== ''}
        title="status: kind: agent: workflow: job: name: id: user: session: reason: · today, yesterday, 30min, 2h, 7d · - before a word turns it round · quotes hold blanks together"
        rightIcon="ui-components:search"
        data-testid="agentnb-runs-filter"
        spellCheck={false}
        onChange={event => change(event.currentTarget.value)}
        onKeyDown={event => {
          if (event.key === 'Escape' && typed) {
            event.stopPropagation();
            change('');
          }
        }}
      />
      {props.problem && (
        <div className="agentnb-filter-problem" role="alert">
          {props.problem}
        </div>
      )}
    </div>
  );
}

/** The durations of the newest runs that have ended. */
function DurationLine({ runs }: { runs: ReturnType<typeof useRuns>['runs'] }): JSX.Element {
  const marks = useMemo(
    () =>
      runs
        .filter(run => isFinal(run.status))
        .slice(0, MARKS)
        .reverse()
        .map(run => ({ id: run.id, status: run.status, milliseconds: tookMs(run, 0) ?? 0 })),
    [runs],
  );
  return <Sparkline marks={marks} label={`Durations of the newest ${plural(marks.length, 'run')}`} />;
}

function NoRuns({ filtered, onClear }: { filtered: boolean; onClear: () => void }): JSX.Element {
  return filtered ? (
    <Empty title="No run passes the filter">
      <button type="button" className="agentnb-action" onClick={onClear}>
        Clear the filter
      </button>
    </Empty>
  ) : (
    <Empty title="No runs yet" code={FIRST_CELL}>
      A run is one execution of an agent or a workflow, in a notebook, a job or the terminal. It appears here while it
      goes on. Start one in a cell:
    </Empty>
  );
}

/** The filter without the other statuses that can be chosen. */
function withoutStatus(text: string, word: string): string {
  return text
    .split(/\s+/)
    .filter(other => other === word || !CHOICES.some(status => other === `status:${status}`))
    .join(' ');
}

function order(runs: readonly { id: string }[], id: string): number {
  return runs.findIndex(run => run.id === id);
}
