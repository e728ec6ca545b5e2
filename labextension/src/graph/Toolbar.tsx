import { useState, type ReactElement, type RefObject } from 'react';

import { count, duration, plural } from './format';
import { Sign, StatusIcon } from './icons';
import { useNow } from './live';
import { counts, hasEnded, runElapsed } from './status';
import type { GraphActions, GraphData, GraphState, GraphView } from './types';

export interface ToolbarProps {
  data: GraphData;
  state: GraphState;
  actions: GraphActions;
  view: GraphView;
  onView: (change: Partial<GraphView>) => void;
  matches: number | null;
  onNext: () => void;
  searchField: RefObject<HTMLInputElement>;
}

const MODES: { mode: GraphView['mode']; title: string }[] = [
  { mode: 'graph', title: 'Graph' },
  { mode: 'timeline', title: 'Timeline' },
  { mode: 'table', title: 'Table' },
];

/** What the run has come to, in one line; how to look at it; what can be done. */
export function Toolbar(props: ToolbarProps): ReactElement {
  const { data, state, view, onView, matches, onNext, searchField } = props;
  return (
    <div className="agentnb-flow-toolbar">
      <Said data={data} state={state} />
      <div className="agentnb-flow-modes" role="radiogroup" aria-label="View">
        {MODES.map(({ mode, title }) => (
          <button
            key={mode}
            type="button"
            role="radio"
            aria-checked={view.mode === mode}
            data-testid={`mode:${mode}`}
            onClick={() => onView({ mode })}
          >
            {title}
          </button>
        ))}
      </div>
      <label className="agentnb-flow-search">
        <Sign name="search" />
        <input
          ref={searchField}
          type="search"
          value={view.search}
          placeholder="Search"
          aria-label="Search steps by name, kind or status"
          data-testid="search"
          onChange={event => onView({ search: event.target.value })}
          onKeyDown={event => {
            if (event.key === 'Enter') {
              onNext();
            } else if (event.key === 'Escape') {
              event.stopPropagation();
              onView({ search: '' });
            }
          }}
        />
        {matches !== null && <small data-testid="matches">{matches}</small>}
      </label>
      <Buttons {...props} />
    </div>
  );
}

function Said({ data, state }: { data: GraphData; state: GraphState }): ReactElement {
  const { run } = state;
  const now = useNow(run !== null && !run.ended_at);
  const found = counts(state);
  const done = (found.completed ?? 0) + (found.replayed ?? 0) + (found.skipped ?? 0) + (found.failed ?? 0);
  const noun = data.kind === 'dag' ? 'step' : 'state';
  const tokens = (run?.usage.input_tokens ?? 0) + (run?.usage.output_tokens ?? 0);
  const spent = run && runElapsed(run, now);
  const parts = [
    data.kind === 'dag' && run
      ? `${String(done)} of ${plural(data.nodes.length, noun)}`
      : plural(data.nodes.length, noun),
    found.failed ? `${String(found.failed)} failed` : '',
    spent === null ? '' : duration(spent),
    tokens ? `${count(tokens)} tokens` : '',
    run?.usage.cost ? `$${run.usage.cost.toFixed(4)}` : '',
  ].filter(Boolean);
  return (
    <div
      className="agentnb-flow-said"
      data-testid="run"
      data-status={run?.status ?? ''}
      title={run?.id ?? data.description}
    >
      {run && (
        <span className="agentnb-flow-status" data-status={run.status} role="status">
          <StatusIcon status={run.status} /> {run.reason === 'lost' ? 'lost' : run.status}
        </span>
      )}
      <strong>{data.name}</strong>
      <span className="agentnb-flow-quiet">{parts.join(' · ')}</span>
    </div>
  );
}

function Buttons({ state, actions }: ToolbarProps): ReactElement {
  const [problem, setProblem] = useState('');
  const [busy, setBusy] = useState('');
  const { run } = state;
  const press = (name: string, action: () => Promise<void>) => () => {
    setBusy(name);
    setProblem('');
    action()
      .catch((error: unknown) => setProblem(error instanceof Error ? error.message : String(error)))
      .finally(() => setBusy(''));
  };
  const button = (name: string, title: string, hint: string, action: () => Promise<void>): ReactElement => (
    <button
      key={name}
      type="button"
      title={hint}
      data-testid={name}
      disabled={busy !== ''}
      onClick={press(name, action)}
    >
      {title}
    </button>
  );
  const found: ReactElement[] = [];
  if (run && actions.cancel && !hasEnded(run)) {
    found.push(
      button(
        'cancel',
        busy === 'cancel' ? 'Cancelling …' : 'Cancel',
        'Ends the run, wherever it is executed',
        actions.cancel,
      ),
    );
  }
  if (run && actions.resume && run.reason === 'lost') {
    found.push(button('resume', 'Resume', 'Goes on after the last finished step, here', actions.resume));
  }
  const again = actions.retry;
  if (run && again && hasEnded(run) && run.reason !== 'lost') {
    const hint =
      run.status === 'completed'
        ? 'As a new run: what is the same is taken over'
        : 'As a new run: what was completed is taken over, the rest is run';
    found.push(button('retry', run.status === 'completed' ? 'Run again' : 'Retry', hint, () => again([])));
  }
  return (
    <div className="agentnb-flow-buttons">
      {problem && (
        <span className="agentnb-flow-problem" role="alert" data-testid="problem">
          {problem}
        </span>
      )}
      {found}
    </div>
  );
}
