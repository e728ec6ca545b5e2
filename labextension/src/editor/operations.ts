import { isMap, isScalar, isSeq, type Node, type Pair, type Scalar } from 'yaml';

import { escaped, references } from './expressions';
import { list, read, sectionOf, word, type Model } from './model';
import type { Draft } from './text/draft';
import { flow, isRecord } from './text/rendering';
import { entry, type Edit, type Path, type Source } from './text/source';

/** What can be done to a workflow's text. Each works on a draft and leaves everything else as it is. */

export type Body = Readonly<Record<string, unknown>>;

/** A name that isn't taken: `writer`, `writer_2`. */
export function freeName(model: Model, wanted: string): string {
  const cleaned =
    wanted
      .replace(/[^A-Za-z0-9_]+/g, '_')
      .replace(/^(?=\d)/, '_')
      .replace(/^_+$/, '') || 'step';
  for (let number = 1; ; number++) {
    const name = number === 1 ? cleaned : `${cleaned}_${String(number)}`;
    if (!model.items.has(name)) {
      return name;
    }
  }
}

/**
 * Adds a step or a state; in a state machine the body becomes what the state does.
 *
 * @param after - The one that it comes after in the text; the last one by default.
 * @returns Its name.
 */
export function add(draft: Draft, wanted: string, body: Body, after?: string): string {
  const model = read(draft.text);
  const name = freeName(model, wanted);
  const isEmpty = !Object.keys(body).length;
  const value = model.kind === 'dag' ? body : isEmpty ? { final: true } : { step: body };
  draft.set([sectionOf(model), name], value, after);
  return name;
}

/** Adds a step that comes after another one, or a state that the other leads to. */
export function addAfter(draft: Draft, wanted: string, body: Body, source: string): string {
  const model = read(draft.text);
  const name = add(draft, wanted, model.kind === 'dag' ? { ...body, needs: [source] } : body, source);
  if (model.kind === 'state_machine') {
    connect(draft, source, name);
  }
  return name;
}

/** Puts a step between two that are connected. */
export function insert(draft: Draft, wanted: string, body: Body, source: string, target: string): string {
  const model = read(draft.text);
  if (model.kind === 'state_machine') {
    const transition = model.items.get(source)?.transitions.find(one => one.to === target);
    const isEmpty = !Object.keys(body).length;
    const state = isEmpty ? { transitions: [{ to: target }] } : { step: body, transitions: [{ to: target }] };
    const name = freeName(model, wanted);
    draft.set(['states', name], state, source);
    if (transition) {
      draft.set(['states', source, 'transitions', transition.place, 'to'], name);
    }
    return name;
  }
  const name = add(draft, wanted, { ...body, needs: [source] }, source);
  const item = model.items.get(target);
  if (item?.needs.includes(source)) {
    draft.set(['steps', target, 'needs', item.needs.indexOf(source)], name);
  } else {
    connect(draft, name, target);
  }
  return name;
}

/** Makes a step wait for another one, or a state lead to another one. */
export function connect(draft: Draft, source: string, target: string): void {
  const model = read(draft.text);
  if (model.kind === 'state_machine') {
    const from = model.items.get(source);
    if (from?.value.final === true) {
      draft.remove(['states', source, 'final']);
      if (from.value.status !== undefined) {
        draft.remove(['states', source, 'status']);
      }
    }
    const written = list(draft.at(['states', source, 'transitions']));
    addTo(draft, ['states', source, 'transitions'], written, { to: target });
    return;
  }
  const needs = draft.at(['steps', target, 'needs']);
  const written = typeof needs === 'string' ? [needs] : list(needs);
  if (!written.includes(source)) {
    addTo(draft, ['steps', target, 'needs'], written, source);
  }
}

function addTo(draft: Draft, path: Path, written: readonly unknown[], value: unknown): void {
  if (written.length && Array.isArray(draft.at(path))) {
    draft.set([...path, written.length], value);
  } else {
    draft.set(path, [...written, value]);
  }
}

/** How two are connected. */
export interface Link {
  /** `needs` names it. */
  need: boolean;
  /** Expressions read it: only they can undo that. */
  read: boolean;
  /** `on_error` leads there. */
  failure: boolean;
  /** The places of the transitions that lead there. */
  transitions: number[];
}

export function linkOf(model: Model, source: string, target: string): Link {
  const [from, to] = [model.items.get(source), model.items.get(target)];
  return {
    need: to?.needs.includes(source) ?? false,
    read: to?.reads.includes(source) ?? false,
    failure: from?.handler === target,
    transitions: from?.transitions.filter(one => one.to === target).map(one => one.place) ?? [],
  };
}

/** Takes a connection away; what expressions read stays. */
export function disconnect(draft: Draft, source: string, target: string): void {
  const link = linkOf(read(draft.text), source, target);
  if (link.need) {
    takeFrom(draft, ['steps', target, 'needs'], list(draft.at(['steps', target, 'needs'])), source);
  }
  if (link.failure) {
    draft.remove(['steps', source, 'on_error']);
  }
  removeTransitions(draft, source, link.transitions);
}

function takeFrom(draft: Draft, path: Path, written: readonly unknown[], value: unknown): void {
  if (written.every(one => one === value)) {
    draft.remove(path);
    return;
  }
  for (let place = written.length - 1; place >= 0; place--) {
    if (written[place] === value) {
      draft.remove([...path, place]);
    }
  }
}

function removeTransitions(draft: Draft, source: string, places: readonly number[]): void {
  const path = ['states', source, 'transitions'];
  if (places.length && places.length === list(draft.at(path)).length) {
    draft.remove(path);
    return;
  }
  for (const place of [...places].reverse()) {
    draft.remove([...path, place]);
  }
}

/** Removes a step or a state with all that leads to it; expressions that read it stay, and are findings then. */
export function remove(draft: Draft, id: string): void {
  const model = read(draft.text);
  for (const item of model.items.values()) {
    if (item.id === id) {
      continue;
    }
    const path = [sectionOf(model), item.id];
    if (item.needs.includes(id)) {
      takeFrom(draft, [...path, 'needs'], list(draft.at([...path, 'needs'])), id);
    }
    if (item.handler === id) {
      draft.remove([...path, 'on_error']);
    }
    removeTransitions(draft, item.id, linkOf(model, item.id, id).transitions);
  }
  if (word(draft.at(['initial'])) === id) {
    draft.remove(['initial']);
  }
  draft.remove([sectionOf(model), id]);
}

/** Gives a step or a state another name, wherever it is named. */
export function rename(draft: Draft, old: string, name: string): void {
  const model = read(draft.text);
  const { source } = model;
  const section = sectionOf(model);
  const edits: Edit[] = [];
  const holder = source.at([section]);
  const key = isMap(holder) ? entry(holder, old)?.key : undefined;
  if (!key?.range) {
    return;
  }
  edits.push({ from: key.range[0], to: key.range[1], text: written(source, name, key) });
  for (const { path, node } of scalars(source)) {
    if (typeof node.value !== 'string' || !node.range) {
      continue;
    }
    if (node.value === old && isName(path, section)) {
      edits.push({ from: node.range[0], to: node.range[1], text: written(source, name, node) });
    } else if (holdsExpressions(path, section)) {
      edits.push(...renamed(source, node as Scalar<string>, path.at(-1) === 'when', old, name));
    }
  }
  draft.replace(edits);
}

/** The edits that rename a step in one text's expressions, in the text as it is written: folds and comments stay. */
function renamed(source: Source, node: Scalar<string>, bare: boolean, old: string, name: string): Edit[] {
  const found = references(node.value, bare).filter(one => one.root === 'steps' && one.name === old);
  const [from = 0, to = 0] = node.range ?? [];
  if (!found.length) {
    return [];
  }
  const raw = source.text.slice(from, to);
  const places = [...raw.matchAll(new RegExp(`(?<![\\w.])steps(\\s*\\.\\s*)${escaped(old)}(?!\\w)`, 'g'))];
  if (places.length === found.length) {
    return places.map(match => {
      const end = from + match.index + match[0].length;
      return { from: end - old.length, to: end, text: name };
    });
  }
  const value = found.reduceRight((text, one) => text.slice(0, one.from) + name + text.slice(one.to), node.value);
  return [{ from, to, text: source.isJson ? JSON.stringify(value) : flow(value, 'QUOTE_DOUBLE') }];
}

function written(source: Source, value: string, node: Node): string {
  return source.isJson ? JSON.stringify(value) : flow(value, isScalar(node) ? node.type : undefined);
}

/** Whether a value is the name of a step or a state. */
function isName(path: Path, section: string): boolean {
  const [first, , third, fourth] = path;
  if (path.length === 1) {
    return first === 'initial';
  }
  return (
    first === section &&
    (third === 'needs' ||
      (third === 'on_error' && (fourth === 'goto' || fourth === 'compensate')) ||
      (third === 'transitions' && path.at(-1) === 'to'))
  );
}

function holdsExpressions(path: Path, section: string): boolean {
  return path[0] === section || path[0] === 'outputs';
}

function* scalars(source: Source): Generator<{ path: Path; node: Scalar }> {
  const open: { path: Path; node: Node | null }[] = [{ path: [], node: source.root }];
  for (let one = open.pop(); one; one = open.pop()) {
    const { path, node } = one;
    if (isScalar(node)) {
      yield { path, node };
    } else if (isMap(node)) {
      open.push(
        ...(node.items as Pair<Node, Node | null>[]).map(pair => ({
          path: [...path, isScalar(pair.key) ? String(pair.key.value) : ''],
          node: pair.value,
        })),
      );
    } else if (isSeq(node)) {
      open.push(...node.items.map((item, place) => ({ path: [...path, place], node: item as Node })));
    }
  }
}

/** Changes one field; empty values take it away, and with it a mapping that is empty then. */
export function setField(draft: Draft, path: Path, value: unknown): void {
  draft.set(path, value);
  for (let parent = path.slice(0, -1); value === undefined && parent.length > 2; parent = parent.slice(0, -1)) {
    const rest = draft.at(parent);
    const isEmpty = (isRecord(rest) && !Object.keys(rest).length) || (Array.isArray(rest) && !rest.length);
    if (!isEmpty) {
      break;
    }
    draft.remove(parent);
  }
}
