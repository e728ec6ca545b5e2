import { references } from './expressions';
import { isRecord } from './text/rendering';
import { parse, type Path, type Source } from './text/source';

export const KINDS = ['agent', 'tool', 'shell', 'human', 'webhook', 'workflow'] as const;
export type Kind = (typeof KINDS)[number];

/** A step of a dag, or a state of a state machine, as far as the text says. */
export interface Item {
  id: string;
  path: Path;
  /** Where what is done stands: the step itself, or the `step` of a state. */
  actionPath: Path;
  title: string;
  kind: Kind | null;
  /** What is done, as it stands there. */
  action: Readonly<Record<string, unknown>>;
  value: Readonly<Record<string, unknown>>;
  /** Of a step: what stands in `needs`. */
  needs: string[];
  /** The steps whose results its expressions read. */
  reads: string[];
  /** Of a step: the handler that its `on_error` names. */
  handler: string;
  /** Of a state. */
  transitions: Transition[];
}

export interface Transition {
  /** Its place in the list. */
  place: number;
  to: string;
  on: string;
  when: string;
  after: string;
}

/** A workflow's text as it is now, complete or not. */
export interface Model {
  source: Source;
  kind: 'dag' | 'state_machine';
  name: string;
  description: string;
  items: Map<string, Item>;
  initial: string;
  inputs: string[];
  agents: string[];
  env: string[];
}

/** Where the steps, or the states, of a workflow stand. */
export function sectionOf(model: Pick<Model, 'kind'>): 'steps' | 'states' {
  return model.kind === 'dag' ? 'steps' : 'states';
}

/** Reads a text; what can't be understood is left out. */
export function read(text: string): Model {
  const source = parse(text);
  const data = isRecord(source.data) ? source.data : {};
  const kind =
    data.kind === 'state_machine' || (data.kind === undefined && !data.steps && data.states) ? 'state_machine' : 'dag';
  const section = sectionOf({ kind });
  const entries = isRecord(data[section]) ? Object.entries(data[section]) : [];
  const known = new Set(entries.map(([id]) => id));
  const items = new Map(
    entries.map(([id, value]) => [id, itemOf(id, [section, id], isRecord(value) ? value : {}, kind, known)]),
  );
  return {
    source,
    kind,
    name: word(data.name),
    description: word(data.description),
    items,
    initial: word(data.initial) || (items.keys().next().value ?? ''),
    inputs: keys(data.inputs),
    agents: keys(data.agents),
    env: list(data.env).map(word),
  };
}

function itemOf(
  id: string,
  path: Path,
  value: Readonly<Record<string, unknown>>,
  kind: Model['kind'],
  known: ReadonlySet<string>,
): Item {
  const isState = kind === 'state_machine';
  const action = isState ? (isRecord(value.step) ? value.step : {}) : value;
  const onError = isRecord(value.on_error) ? value.on_error : {};
  return {
    id,
    path,
    actionPath: isState ? [...path, 'step'] : path,
    title: word(value.title) || id,
    kind: KINDS.find(one => action[one] !== undefined && action[one] !== null) ?? null,
    action,
    value,
    needs: isState ? [] : [...new Set(list(value.needs).map(word))].filter(Boolean),
    reads: isState ? [] : [...new Set(readsOf(value))].filter(one => known.has(one) && one !== id),
    handler: isState ? '' : word(onError.goto) || word(onError.compensate),
    transitions: list(value.transitions).map((one, place) => transitionOf(isRecord(one) ? one : {}, place)),
  };
}

function transitionOf(value: Readonly<Record<string, unknown>>, place: number): Transition {
  return { place, to: word(value.to), on: word(value.on), when: word(value.when), after: word(value.after) };
}

/** The steps that the expressions of a value read. */
function readsOf(value: unknown, key = ''): string[] {
  if (typeof value === 'string') {
    return references(value, key === 'when')
      .filter(one => one.root === 'steps')
      .map(one => one.name);
  }
  if (Array.isArray(value)) {
    return value.flatMap(one => readsOf(one));
  }
  return isRecord(value) ? Object.entries(value).flatMap(([name, one]) => readsOf(one, name)) : [];
}

/** What an item waits for: its needs and what it reads. */
export function before(item: Item): string[] {
  return [...new Set([...item.needs, ...item.reads])];
}

/** Whether one step waits for another, directly or not. */
export function waitsFor(model: Model, id: string, other: string): boolean {
  const seen = new Set<string>();
  const next = [id];
  for (let one = next.pop(); one !== undefined; one = next.pop()) {
    if (one === other) {
      return true;
    }
    const item = model.items.get(one);
    if (item && !seen.has(one)) {
      seen.add(one);
      next.push(...before(item), ...handledBy(model, one));
    }
  }
  return false;
}

/** The steps whose failure leads to a handler. */
function handledBy(model: Model, id: string): string[] {
  return [...model.items.values()].filter(one => one.handler === id).map(one => one.id);
}

/** A scalar as text; anything else is nothing. */
export function word(value: unknown): string {
  return typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? String(value) : '';
}

export function list(value: unknown): unknown[] {
  return Array.isArray(value) ? (value as unknown[]) : [];
}

function keys(value: unknown): string[] {
  return isRecord(value) ? Object.keys(value) : [];
}
