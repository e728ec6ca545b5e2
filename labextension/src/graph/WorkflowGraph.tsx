import { useCallback, useEffect, useId, useMemo, useRef, useState, type KeyboardEvent, type ReactElement } from 'react';

import { Canvas } from './Canvas';
import { StatusIcon } from './icons';
import { useOwnKeys } from './keys';
import { Live, LiveContext } from './live';
import { Commands } from './node';
import { around, everyNode, placed } from './place';
import { matches, rowsOf } from './rows';
import { Sheet } from './Sheet';
import { asking, hasEnded } from './status';
import { Table } from './Table';
import { Timeline } from './Timeline';
import { Toolbar } from './Toolbar';
import type { GraphActions, WorkflowGraphProps } from './types';

const NOTHING: GraphActions = {};

/**
 * A workflow or a run of one: as a graph, a timeline and a table, with a sheet for the chosen step.
 *
 * It holds nothing that outlives it: what is shown comes as `data` and `state`, what somebody has chosen as `view`. `data` and the objects
 * in `state` must stay the same objects where nothing is different in them (`merged` sees to it): that is what keeps a large graph fluid.
 */
export function WorkflowGraph(props: WorkflowGraphProps): ReactElement {
  const { data, state, notice, view, onView, height } = props;
  const actions = notice ? NOTHING : props.actions;
  const [live] = useState(() => new Live());
  const id = useId();
  const searchField = useRef<HTMLInputElement>(null);
  const root = useRef<HTMLDivElement>(null);
  useOwnKeys(root);

  const everything = useMemo(() => everyNode(data), [data]);
  const open = useMemo(() => new Set(view.open), [view.open]);
  const graph = useMemo(() => placed(data, open), [data, open]);
  const found = useMemo(() => matches(everything, state, view.search), [everything, state, view.search]);
  const rows = useMemo(
    () => (view.mode === 'graph' ? [] : rowsOf(data, state, open, found)),
    [view.mode, data, state, open, found],
  );
  const asked = useMemo(() => asking(state), [state]);
  const chosen = everything.get(view.selected);

  useEffect(() => live.set({ state }), [live, state]);
  useEffect(() => live.set({ selected: view.selected, found }), [live, view.selected, found]);

  const select = useCallback(
    (path: string) => {
      live.selected = path; // the next key is pressed before anything is drawn
      const hidden = around(path).filter(one => !open.has(one));
      onView({ selected: path, part: '', ...(hidden.length ? { open: [...open, ...hidden] } : {}) });
    },
    [live, onView, open],
  );
  const commands = useMemo(
    () => ({
      idOf: (path: string) => `${id}-${path}`,
      fold: (path: string) => {
        onView({ open: open.has(path) ? [...open].filter(one => one !== path) : [...open, path] });
      },
    }),
    [id, onView, open],
  );
  const next = useCallback(() => {
    const paths = [...(found ?? [])];
    const path = paths[(paths.indexOf(view.selected) + 1) % Math.max(paths.length, 1)];
    if (path) {
      select(path);
    }
  }, [found, view.selected, select]);

  // Whoever is asked shall not have to look for it; what somebody has chosen themselves stays.
  const answers = actions.answer !== undefined;
  const offered = useRef('');
  useEffect(() => {
    const first = asked[0] ?? '';
    if (answers && first && first !== offered.current && !view.selected) {
      select(first);
    }
    if (offered.current && !asked.includes(offered.current) && view.selected === offered.current && first) {
      select(first);
    }
    offered.current = first;
  }, [answers, asked, select, view.selected]);

  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key === 'Escape' && view.selected) {
      event.stopPropagation();
      onView({ selected: '', part: '' });
      root.current?.querySelector<HTMLElement>('.agentnb-flow-canvas')?.focus();
    } else if (event.key === 'Enter' && (event.target as Element).matches('.agentnb-flow-canvas')) {
      root.current?.querySelector<HTMLElement>('.agentnb-flow-sheet [role=tab][aria-selected=true]')?.focus();
    }
  };

  const lists = { rows, run: state.run, selected: view.selected, onSelect: select };
  return (
    <LiveContext.Provider value={live}>
      <Commands.Provider value={commands}>
        <div
          ref={root}
          className="agentnb-flow"
          data-testid="graph"
          role="group"
          aria-label={`Workflow ${data.name}`}
          onKeyDown={onKeyDown}
        >
          <Toolbar
            data={data}
            state={state}
            actions={actions}
            view={view}
            onView={onView}
            matches={found?.size ?? null}
            onNext={next}
            searchField={searchField}
          />
          {notice && (
            <div className="agentnb-flow-notice" role="status" data-testid="notice">
              {notice}
            </div>
          )}
          {state.run?.error && state.run.status !== 'cancelled' && (
            <div className="agentnb-flow-error" role="alert" data-testid="run-error">
              <strong>{state.run.error.type}</strong> {state.run.error.message}
            </div>
          )}
          {asked.length > 0 && (
            <div className="agentnb-flow-asked" role="status" data-testid="asked">
              {asked.map(path => (
                <button key={path} type="button" data-status="waiting" onClick={() => select(path)}>
                  <StatusIcon status="waiting" /> {everything.get(path)?.title ?? path} waits for an answer
                </button>
              ))}
            </div>
          )}
          <div className="agentnb-flow-main" style={height ? { height } : undefined}>
            <div className="agentnb-flow-view">
              {view.mode === 'graph' && (
                <Canvas
                  graph={graph}
                  name={data.name}
                  selected={view.selected}
                  viewport={view.viewport}
                  onSelect={select}
                  onViewport={viewport => onView({ viewport })}
                  onFold={commands.fold}
                  onSearch={() => searchField.current?.focus()}
                  activeId={view.selected ? commands.idOf(view.selected) : undefined}
                />
              )}
              {view.mode === 'timeline' && <Timeline {...lists} />}
              {view.mode === 'table' && <Table {...lists} />}
            </div>
            {chosen && (
              <Sheet
                key={view.selected}
                path={view.selected}
                part={view.part}
                node={chosen}
                actions={actions}
                ended={state.run !== null && hasEnded(state.run)}
                onPart={part => onView({ part })}
                onClose={() => onView({ selected: '', part: '' })}
              />
            )}
          </div>
          {data.left_out > 0 && view.mode === 'graph' && (
            <div className="agentnb-flow-quiet">{data.left_out} lines are left out that others imply.</div>
          )}
        </div>
      </Commands.Provider>
    </LiveContext.Provider>
  );
}
