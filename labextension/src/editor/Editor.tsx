import { useCallback, useEffect, useMemo, useState, type JSX, type KeyboardEvent } from 'react';

import { Canvas } from '../graph/Canvas';
import type { Drop, Editing, Mark } from '../graph/editing';
import { Live, LiveContext } from '../graph/live';
import { Commands } from '../graph/node';
import { placed } from '../graph/place';
import { Sheet } from '../graph/Sheet';
import { hasEnded } from '../graph/status';
import type { Viewport } from '@xyflow/react';
import { useLive } from '../live/hooks';
import { useServices } from '../panels/services';
import { useRunActions } from '../runs/GraphTab';
import { AddMenu, DRAG_TYPE, Rail } from './AddMenu';
import { edgeId } from './drawing';
import { EdgeTools } from './EdgeTools';
import type { Finding } from './findings';
import { FormProvider, type FormContext } from './forms/context';
import { useKnown, useSchema } from './knowledge';
import { waitsFor, type Model } from './model';
import * as operations from './operations';
import { entriesOf, type Entry } from './palette';
import { Problems } from './Problems';
import { RunBar } from './RunBar';
import { useWatched } from './running';
import type { EditorStore } from './store';
import { StepForm, WorkflowForm } from './StepForm';
import { addTemplate } from './templates';
import { useEditor } from './useEditor';

const NONE: ReadonlySet<string> = new Set();

/** Where the next step comes to stand. */
type Place = { kind: 'free' } | { kind: 'after'; id: string } | { kind: 'between'; source: string; target: string };

/** The canvas of a workflow's document, with the forms of what is chosen on it. */
export function Editor({ store }: { store: EditorStore }): JSX.Element {
  const services = useServices();
  const state = useEditor(store);
  const connection = useLive().connection.state;
  const { ready, model, graph, selected, edge, findings, stale, readOnly } = state;
  const isEmpty = !model.items.size;
  const [settings, setSettings] = useState(false);
  const [menu, setMenu] = useState<Place | null>(null);
  const [runId, setRunId] = useState('');
  const [live] = useState(() => new Live());
  const [viewport, setViewport] = useState<Viewport | null>(null);
  const [prefix] = useState(() => `agentnb-editor-${String(Math.random()).slice(2)}`);
  const item = model.items.get(selected);
  const watched = useWatched(runId);
  const actions = useRunActions(runId);
  const [part, setPart] = useState('');
  const drawnNode = graph.nodes.find(one => one.id === selected);
  const known = useKnown(services.client);
  const schema = useSchema(services.client);
  const shown = useMemo(() => placed(graph, NONE), [graph]);
  const entries = useMemo(() => entriesOf(model, known), [model, known]);

  useEffect(() => {
    if (connection === 'live') {
      store.recheck();
    }
  }, [connection, store]);
  useEffect(() => live.set({ state: watched.state }), [live, watched.state]);
  useEffect(() => {
    live.set({ selected });
    setPart('');
  }, [live, selected]);

  const take = useCallback(
    (entry: Entry, place: Place) => {
      setMenu(null);
      if (entry.template !== undefined) {
        void addTemplate(services.client, store, entry.template);
        return;
      }
      const name = store.edit(draft => {
        switch (place.kind) {
          case 'free':
            return operations.add(draft, entry.name, entry.body);
          case 'after':
            return operations.addAfter(draft, entry.name, entry.body, place.id);
          case 'between':
            return operations.insert(draft, entry.name, entry.body, place.source, place.target);
        }
      });
      if (name !== undefined) {
        store.select(name);
      }
    },
    [services.client, store],
  );
  const here: Place = edge
    ? { kind: 'between', ...edge }
    : selected
      ? { kind: 'after', id: selected }
      : { kind: 'free' };

  const editing = useMemo(
    (): Editing => ({
      mayConnect: (source, target) => mayConnect(model, source, target),
      onConnect: (source, target) => store.edit(draft => operations.connect(draft, source, target)),
      accepts: DRAG_TYPE,
      onDrop: (drop: Drop) => {
        const entry = entries.find(one => one.id === drop.data);
        if (entry) {
          take(entry, placeOf(drop));
        }
      },
      edge: edge ? edgeId(edge.source, edge.target) : '',
      onEdge: path => {
        const found = graph.edges.find(one => one.id === path);
        if (found) {
          store.selectEdge(found.source, found.target);
        } else {
          store.select('');
        }
      },
      marks: marksOf(findings),
    }),
    [model, graph, edge, findings, entries, store, take],
  );
  const form = useMemo(
    (): FormContext => ({
      root: schema ?? {},
      model,
      id: selected,
      choices: choicesOf(model, entries),
      findings,
      disabled: readOnly || stale !== null,
      change: (path, value) => store.edit(draft => operations.setField(draft, path, value), `field:${path.join('.')}`),
    }),
    [schema, model, selected, entries, findings, readOnly, stale, store],
  );

  const onKeyDown = (event: KeyboardEvent): void => {
    const isField = (event.target as Element).matches('input, textarea, select');
    const isCommand = event.ctrlKey || event.metaKey;
    if (isCommand && !event.altKey && event.key.toLowerCase() === 'z') {
      (event.shiftKey ? store.redo : store.undo)();
    } else if (isCommand && event.key.toLowerCase() === 'y') {
      store.redo();
    } else if (isCommand || event.altKey) {
      return;
    } else if (event.key === 'Escape') {
      setMenu(null);
      store.select('');
      event.currentTarget.querySelector<HTMLElement>('.agentnb-flow-canvas')?.focus();
    } else if (isField) {
      return;
    } else if (event.key === 'Delete' || event.key === 'Backspace') {
      removeChosen(store);
    } else if (event.key === 'Enter' && (event.target as Element).matches('.agentnb-flow-canvas')) {
      const within = edge ? '.agentnb-editor-edgetools button:enabled' : '.agentnb-form input';
      event.currentTarget.querySelector<HTMLElement>(within)?.focus();
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  const chosenEdge = edge && shown.edges.find(one => one.path === edgeId(edge.source, edge.target));
  const commands = useMemo(() => ({ idOf: (path: string) => `${prefix}-${path}`, fold: () => undefined }), [prefix]);
  return (
    <LiveContext.Provider value={live}>
      <Commands.Provider value={commands}>
        <FormProvider value={form}>
          <div className="agentnb-editor agentnb-flow agentnb-flow-editing" data-testid="editor" onKeyDown={onKeyDown}>
            <div className="agentnb-editor-bar">
              <button
                type="button"
                data-testid="add"
                disabled={readOnly || stale !== null}
                title="Add a step (/)"
                onClick={() => setMenu(here)}
              >
                + Add
              </button>
              <button
                type="button"
                data-testid="undo"
                disabled={!state.canUndo}
                title="Undo (Ctrl+Z)"
                onClick={store.undo}
              >
                ↶
              </button>
              <button
                type="button"
                data-testid="redo"
                disabled={!state.canRedo}
                title="Redo (Ctrl+Shift+Z)"
                onClick={store.redo}
              >
                ↷
              </button>
              <button
                type="button"
                data-testid="settings"
                aria-pressed={settings && !item}
                title="Inputs, agents, outputs and the rest of the workflow"
                onClick={() => {
                  store.select('');
                  setSettings(item !== undefined || !settings);
                }}
              >
                Workflow
              </button>
              <RunBar store={store} runId={runId} watched={watched} onRun={setRunId} />
            </div>
            <Notices store={store} />
            <div className="agentnb-editor-main">
              <Rail entries={entries} disabled={readOnly || stale !== null} onTake={entry => take(entry, here)} />
              <div className="agentnb-editor-canvas">
                {ready && stale?.reason !== 'large' && (
                  <Canvas
                    key={isEmpty ? 'empty' : 'full'}
                    graph={shown}
                    name={graph.name}
                    selected={selected}
                    viewport={isEmpty ? null : viewport}
                    onSelect={id => store.select(id)}
                    onViewport={moved => !isEmpty && setViewport(moved)}
                    onFold={commands.fold}
                    onSearch={() => !readOnly && !stale && setMenu(here)}
                    activeId={selected || chosenEdge ? commands.idOf(selected || (chosenEdge?.path ?? '')) : undefined}
                    {...(stale ? {} : { editing })}
                  >
                    {chosenEdge && !runId && (
                      <EdgeTools store={store} edge={chosenEdge} onInsert={() => setMenu(here)} />
                    )}
                  </Canvas>
                )}
                {ready && isEmpty && !stale && (
                  <Beginning
                    known={known.templates}
                    onTemplate={name => void addTemplate(services.client, store, name)}
                  />
                )}
                {menu && (
                  <AddMenu
                    entries={entries}
                    place={said(menu)}
                    onTake={entry => take(entry, menu)}
                    onClose={() => setMenu(null)}
                  />
                )}
              </div>
              {item && runId && drawnNode && (
                <Sheet
                  key={`${runId} ${selected}`}
                  path={selected}
                  part={part}
                  node={drawnNode}
                  actions={actions}
                  ended={watched.state.run !== null && hasEnded(watched.state.run)}
                  onPart={setPart}
                  onClose={() => store.select('')}
                />
              )}
              {!(item && runId) && (item ?? settings) && (
                <aside className="agentnb-editor-sheet" aria-label="What is chosen">
                  {!schema ? (
                    <p className="agentnb-muted">The fields come with the server's answer …</p>
                  ) : item ? (
                    <StepForm key={selected} item={item} store={store} />
                  ) : (
                    <WorkflowForm onClose={() => setSettings(false)} />
                  )}
                </aside>
              )}
            </div>
            <Problems store={store} />
          </div>
        </FormProvider>
      </Commands.Provider>
    </LiveContext.Provider>
  );
}

/** What can't be shown or done at the moment, and why. */
function Notices({ store }: { store: EditorStore }): JSX.Element {
  const { stale, refusal, readOnly, check } = useEditor(store);
  return (
    <>
      {stale && (
        <div className="agentnb-editor-notice" role="status" data-testid="stale">
          {stale.reason === 'large'
            ? 'This text is too large for the canvas (above 1 MB): edit it as text. It is checked all the same.'
            : `Line ${String(stale.line)} can't be read: the canvas shows the workflow as it was before, and waits.`}
        </div>
      )}
      {readOnly && (
        <div className="agentnb-editor-notice" role="status" data-testid="read-only">
          This file may only be read: save it under another name to edit it.
        </div>
      )}
      {check.state === 'failed' && check.problem.isForbidden && (
        <div className="agentnb-editor-notice" role="status" data-testid="forbidden">
          You may not have workflows checked or run here: editing works, ask who runs this server for permission.
        </div>
      )}
      {refusal && (
        <div className="agentnb-editor-notice" data-kind="refusal" role="alert" data-testid="refusal">
          {refusal}
          <button type="button" className="agentnb-editor-icon" aria-label="Dismiss" onClick={() => store.dismiss()}>
            ×
          </button>
        </div>
      )}
    </>
  );
}

/** What an empty canvas says. */
function Beginning({
  known,
  onTemplate,
}: {
  known: readonly { name: string; description: string }[];
  onTemplate: (name: string) => void;
}): JSX.Element {
  return (
    <div className="agentnb-editor-empty" data-testid="beginning">
      <p>
        Press <kbd>/</kbd> to add the first step, drag one from the left, or write it in the text.
      </p>
      {known.length > 0 && (
        <p>
          Or start from{' '}
          {known.map(({ name, description }) => (
            <button
              key={name}
              type="button"
              title={description}
              data-testid={`template:${name}`}
              onClick={() => onTemplate(name)}
            >
              {name}
            </button>
          ))}
        </p>
      )}
    </div>
  );
}

function removeChosen(store: EditorStore): void {
  const { selected, edge } = store.state();
  if (selected) {
    store.edit(draft => operations.remove(draft, selected));
  } else if (edge) {
    store.edit(draft => operations.disconnect(draft, edge.source, edge.target));
  }
}

function mayConnect(model: Model, source: string, target: string): boolean {
  if (model.kind === 'state_machine') {
    return model.items.has(source) && model.items.has(target);
  }
  const link = operations.linkOf(model, source, target);
  return source !== target && !link.need && !waitsFor(model, source, target);
}

function placeOf({ edge, node }: Drop): Place {
  return edge
    ? { kind: 'between', source: edge.edge.source, target: edge.edge.target }
    : node
      ? { kind: 'after', id: node }
      : { kind: 'free' };
}

function said(place: Place): string {
  switch (place.kind) {
    case 'free':
      return '';
    case 'after':
      return `after ${place.id}`;
    case 'between':
      return `between ${place.source} and ${place.target}`;
  }
}

function marksOf(findings: readonly Finding[]): Map<string, Mark> {
  const marks = new Map<string, Mark>();
  for (const { id, severity, message, mend } of findings) {
    if (id) {
      const before = marks.get(id);
      const text = [before?.text, mend ? `${message}. ${mend}` : message].filter(Boolean).join('\n');
      marks.set(id, { severity: before?.severity === 'error' ? 'error' : severity, text });
    }
  }
  return marks;
}

function choicesOf(model: Model, entries: readonly Entry[]): Record<string, readonly string[]> {
  const names = [...model.items.keys()];
  const of = (group: Entry['group']): string[] => entries.filter(one => one.group === group).map(one => one.title);
  const handlers = [...model.items.values()].filter(one => one.value.handler === true).map(one => one.id);
  return {
    agent: of('Agents'),
    tool: entries.filter(one => one.group === 'Tools').map(one => String(one.body.tool)),
    to: names,
    initial: names,
    goto: handlers,
    compensate: handlers,
    on: ['completed', 'error', 'timed_out', 'approved', 'rejected', 'skipped'],
  };
}
