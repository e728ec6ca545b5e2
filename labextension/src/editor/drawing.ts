import type { GraphData, GraphEdge, GraphNode } from '../graph/types';
import { arrange } from './layout';
import { before, type Item, type Model } from './model';
import { isRecord } from './text/rendering';

/** The sizes are those of the graph of a run (`agentnb/runtime/graphs/sketch.py`): so nothing jumps when one begins. */
const HEIGHT = 46;
const LOOP = 26;
const [LEFT, RIGHT] = [38, 18];
const [LEAST, MOST] = [112, 230];
const GAP = 60;
const [LEAST_LABEL, MOST_LABEL] = [72, 210];

interface Drawn {
  source: string;
  target: string;
  label: string;
  dashed: boolean;
}

/** What there is to draw of a workflow, complete or not. */
export function drawing(model: Model): GraphData {
  const items = [...model.items.values()];
  const lines = model.kind === 'dag' ? stepLines(model) : stateLines(model);
  const loops = new Map(lines.filter(one => one.source === one.target).map(one => [one.source, one.label]));
  const others = lines.filter(one => one.source !== one.target);
  const boxes = items.map(item => ({
    id: item.id,
    width: widthOf(item),
    height: HEIGHT + (loops.has(item.id) ? 2 * LOOP : 0),
  }));
  const widest = Math.max(0, ...others.map(one => textWidth(one.label, 11)));
  const gap = widest ? Math.min(Math.max(widest + 56, LEAST_LABEL), MOST_LABEL) : GAP;
  const pairs = others.map((one): [string, string] => [one.source, one.target]);
  const layout = arrange(boxes, pairs, model.initial, gap);
  const ways = new Set(others.map(one => edgeId(one.source, one.target)));
  const edges = layout.lines.map((line, place): GraphEdge => {
    const { source, target, label, dashed } = others[place] ?? { ...line, label: '', dashed: false };
    const shift = ways.has(edgeId(target, source)) ? (line.backward ? 8 : -8) : 0;
    return {
      id: edgeId(source, target),
      source,
      target,
      points: line.points.map(([x, y]) => [x, y + shift]),
      ...(label && { label, at_end: count(pairs, 1, target) <= count(pairs, 0, source) }),
      ...(dashed && { dashed }),
      ...(line.backward && { backward: true }),
    };
  });
  const nodes = items.map((item, place): GraphNode => {
    const box = boxes[place];
    const { x, y } = layout.places.get(item.id) ?? { x: 0, y: 0 };
    const loop = loops.get(item.id);
    return {
      id: item.id,
      title: item.title,
      kind: item.kind ?? 'state',
      detail: detailOf(model, item),
      hint: hintOf(item),
      x,
      y: y + ((box?.height ?? HEIGHT) - HEIGHT) / 2,
      width: box?.width ?? LEAST,
      height: HEIGHT,
      ...(item.value.when !== undefined && { conditional: true }),
      ...(item.value.for_each !== undefined && { fan: true }),
      ...(model.kind === 'state_machine' && item.id === model.initial && { initial: true }),
      ...(item.value.final === true && { final: true }),
      ...(loop !== undefined && { loop }),
    };
  });
  return {
    name: model.name || 'workflow',
    description: model.description,
    kind: model.kind,
    width: layout.width,
    height: Math.max(layout.height, HEIGHT),
    nodes,
    edges,
    left_out: 0,
  };
}

export function edgeId(source: string, target: string): string {
  return `${source}→${target}`;
}

function stepLines(model: Model): Drawn[] {
  return [...model.items.values()].flatMap(item => {
    const waited = before(item).filter(one => model.items.has(one) && one !== item.id);
    const failing = model.items.has(item.handler) && item.handler !== item.id ? [item.handler] : [];
    return [
      ...waited
        .filter(one => model.items.get(one)?.handler !== item.id)
        .map(one => ({ source: one, target: item.id, label: '', dashed: false })),
      ...failing.map(one => ({ source: item.id, target: one, label: '', dashed: true })),
    ];
  });
}

function stateLines(model: Model): Drawn[] {
  const labels = new Map<string, { source: string; target: string; said: string[] }>();
  for (const item of model.items.values()) {
    for (const { to, on, when, after } of item.transitions) {
      if (model.items.has(to)) {
        const id = edgeId(item.id, to);
        const found = labels.get(id) ?? { source: item.id, target: to, said: [] };
        const said = [on, after && `after ${after}`, when && `if ${when}`].filter(Boolean).join(' ');
        labels.set(id, { ...found, said: [...found.said, said] });
      }
    }
  }
  return [...labels.values()].map(({ source, target, said }) => ({
    source,
    target,
    label: [...new Set(said.filter(Boolean))].join(' / '),
    dashed: false,
  }));
}

/** The quiet second line: the kind and what it names. */
function detailOf(model: Model, item: Item): string {
  if (item.value.handler === true) {
    return 'only on failure';
  }
  if (!item.kind) {
    const ends = item.value.status === 'failed' ? 'ends: failed' : 'ends';
    return model.kind === 'dag' ? 'nothing to do yet' : item.value.final === true ? ends : 'state';
  }
  return described(item);
}

function described({ kind, action }: Item): string {
  const value = kind ? action[kind] : undefined;
  const part = (name: string): unknown => (isRecord(value) ? value[name] : undefined);
  const named: Record<string, unknown> = {
    agent: value,
    tool:
      typeof value === 'string'
        ? value
            .replace(/^python:/, '')
            .split('.')
            .at(-1)
        : '',
    human: part('assignee'),
    workflow: isRecord(value) ? (part('name') ?? part('file')) : value,
    webhook: part('event'),
  };
  const name = named[kind ?? ''];
  return [kind, typeof name === 'string' ? name : ''].filter(Boolean).join(' ');
}

function hintOf(item: Item): string {
  const when = typeof item.value.when === 'string' ? `runs only where ${item.value.when}` : '';
  return [
    described(item),
    when,
    item.value.for_each === undefined ? '' : 'once for each item',
    item.value.handler === true ? 'only on failure' : '',
  ]
    .filter(Boolean)
    .join('; ');
}

function widthOf(item: Item): number {
  const text = Math.max(
    textWidth(item.title, 13.5),
    textWidth(described(item), 11),
    textWidth('failed 3× · 888 ms', 11),
  );
  return Math.min(Math.max(text + LEFT + RIGHT, LEAST), MOST);
}

/** About how wide a text is in a sans-serif font of that size. */
function textWidth(text: string, size: number): number {
  let width = 0;
  for (const character of text) {
    width += /[\u1100-\u115f\u2e80-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6]/.test(
      character,
    )
      ? 1
      : "ijlft.,:;'|! ()[]".includes(character)
        ? 0.37
        : /[\p{Lu}mw@%]/u.test(character)
          ? 0.74
          : 0.62;
  }
  return size * width;
}

function count(pairs: readonly (readonly [string, string])[], side: 0 | 1, name: string): number {
  return pairs.filter(pair => pair[side] === name).length;
}
