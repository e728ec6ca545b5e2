import { isCollection, isMap, isScalar, isSeq, type Node, type Pair, type YAMLMap, type YAMLSeq } from 'yaml';

import { flow, isRecord, itemLines, pairLines, type Style } from './rendering';
import { afterColon, endOf, entry, isFlow, isShared, keyOf, type Edit, type Path, type Source } from './source';

/** The text is written in a way that can't be edited in place; the message says what to do. */
export class Tangled extends Error {}

/** Where an entry of a mapping or a list stands: its value comes behind `head`. */
interface Entry {
  start: number;
  head: number;
  key: string | null;
  node: Node | null;
}

/**
 * The edits that make the value at a path another one, and touch no line but its own.
 *
 * @param value - The new value; undefined takes the key or the item away.
 * @param after - Of a new key: the sibling that it comes after; the last one by default.
 * @throws Tangled - It can't be done in place.
 */
export function changed(source: Source, path: Path, value: unknown, after?: string): Edit[] {
  return new Splice(source).change(path, value, after);
}

class Splice {
  private readonly step: number;

  constructor(private readonly source: Source) {
    this.step = stepOf(source);
  }

  change(path: Path, value: unknown, after: string | undefined): Edit[] {
    const { source } = this;
    if (!source.root || (isScalar(source.root) && source.root.value === null)) {
      return path.length && value !== undefined ? this.begin(nested(path, value)) : [];
    }
    let node: Node | null = source.root;
    let holder: Entry | null = null;
    for (let place = 0; place < path.length; place++) {
      const part = path[place] ?? '';
      if (isShared(node ?? undefined)) {
        throw new Tangled('an anchor or an alias stands here: write the value out in the text first');
      }
      const rest = value === undefined ? undefined : nested(path.slice(place + 1), value);
      if (isMap(node)) {
        const found = entry(node, part);
        if (!found) {
          return rest === undefined ? [] : this.add(node, holder, String(part), rest, after);
        }
        if (place === path.length - 1 && value === undefined) {
          return this.remove(
            node,
            this.entries(node).findIndex(one => one.key === String(part)),
          );
        }
        holder = this.entryOf(found);
        node = found.value;
      } else if (isSeq(node) && typeof part === 'number') {
        if (part >= node.items.length) {
          return rest === undefined ? [] : this.add(node, holder, null, rest, after);
        }
        if (place === path.length - 1 && value === undefined) {
          return this.remove(node, part);
        }
        holder = this.entries(node)[part] ?? null;
        node = node.items[part] as Node;
      } else if (rest === undefined) {
        return [];
      } else {
        return this.replace(holder, node, nested(path.slice(place), value));
      }
    }
    return value === undefined ? [] : this.make(holder, node, value);
  }

  /** Makes a value the new one, finest parts first. */
  private make(holder: Entry | null, node: Node | null, value: unknown): Edit[] {
    if (isShared(node ?? undefined)) {
      throw new Tangled('an anchor or an alias stands here: write the value out in the text first');
    }
    const old: unknown = node?.toJS(this.source.document);
    if (same(old, value)) {
      return [];
    }
    if (isMap(node) && isRecord(value) && node.items.some(pair => keyOf(pair) in value)) {
      return this.merge(node, value);
    }
    return this.replace(holder, node, value);
  }

  /** Goes from one mapping to another, key by key. */
  private merge(map: YAMLMap, value: Readonly<Record<string, unknown>>): Edit[] {
    const entries = this.entries(map);
    const edits: Edit[] = [];
    for (const [place, one] of entries.entries()) {
      if (one.key !== null && one.key in value) {
        edits.push(...this.make(one, one.node, value[one.key]));
      } else {
        edits.push(...this.remove(map, place));
      }
    }
    const known = new Set(entries.map(one => one.key));
    for (const [key, one] of Object.entries(value)) {
      if (!known.has(key) && one !== undefined) {
        edits.push(...this.add(map, null, key, one, undefined));
      }
    }
    return edits;
  }

  private replace(holder: Entry | null, node: Node | null, value: unknown): Edit[] {
    const { source } = this;
    if (!holder) {
      throw new Tangled('the document as a whole is no mapping: write name: … and steps: … in the text first');
    }
    const isEmpty = !node?.range || node.range[0] === node.range[1];
    const from = isEmpty ? holder.head : (node?.range?.[0] ?? holder.head);
    const to = isEmpty || !node ? holder.head : endOf(source, node);
    if (source.isJson) {
      return [{ from, to, text: (isEmpty ? ' ' : '') + this.json(value, holder.start) }];
    }
    if (this.isInFlow(holder)) {
      return [{ from, to, text: (isEmpty ? ' ' : '') + flow(value, styleOf(node)) }];
    }
    const column = source.column(holder.start);
    const lines =
      holder.key === null
        ? itemLines(value, column, this.step, styleOf(node))
        : pairLines(holder.key, value, column, this.step, styleOf(node));
    const first = lines[0] ?? '';
    const lead = holder.key === null ? column + 1 : column + flow(holder.key).length + 1;
    const inline = first.slice(lead).trim();
    const below = lines
      .slice(1)
      .map(line => source.newline + line)
      .join('');
    if (isEmpty || source.lineEnd(holder.head) >= from) {
      return this.replaceBeside(holder, node, from, to, inline, below);
    }
    // The old value begins on a line below.
    return inline
      ? [
          { from: holder.head, to: holder.head, text: ` ${inline}` },
          { from: source.lineEnd(holder.head), to, text: below },
        ]
      : [{ from: source.lineStart(from), to, text: below.slice(source.newline.length) }];
  }

  /** Replaces a value that begins on its key's line; a comment behind it stays. */
  private replaceBeside(
    holder: Entry,
    node: Node | null,
    from: number,
    to: number,
    inline: string,
    below: string,
  ): Edit[] {
    const { source } = this;
    const isBlock = isScalar(node) && node.type?.startsWith('BLOCK');
    const isBlockList = isCollection(node) && !isFlow(node);
    if (isBlockList) {
      return [{ from: holder.head, to, text: (inline && ` ${inline}`) + below }];
    }
    const stop = isBlock ? from + (/^[|>][-+\d]*/.exec(source.text.slice(from))?.[0].length ?? 0) : to;
    const end = isBlock ? to : source.lineEnd(to);
    const start = inline && from > holder.head ? from : holder.head;
    const edits = [{ from: start, to: stop, text: start === holder.head && inline ? ` ${inline}` : inline }];
    const lineEnd = isBlock ? source.lineEnd(stop) : end;
    if (below || lineEnd < end) {
      edits.push({ from: lineEnd, to: end, text: below });
    }
    return edits;
  }

  private add(
    node: YAMLMap | YAMLSeq,
    holder: Entry | null,
    key: string | null,
    value: unknown,
    after?: string,
  ): Edit[] {
    const { source } = this;
    const entries = this.entries(node);
    const near = entries.find(one => one.key === after && after !== undefined) ?? entries.at(-1);
    if (isFlow(node)) {
      const [start = 0, end = 0] = node.range ?? [];
      const written = source.isJson
        ? (key === null ? '' : `${JSON.stringify(key)}: `) + this.json(value, near?.start ?? start + 1)
        : key === null
          ? flow(value)
          : flow({ [key]: value }).slice(1, -1);
      if (!near) {
        const isRootLike = holder && !this.isInFlow(holder) && !source.isJson && key !== null;
        if (isRootLike && isRecord(value)) {
          return this.replace(holder, node, { [key]: value });
        }
        return [{ from: start + 1, to: end - 1, text: written }];
      }
      const lead = source.text.slice(source.lineStart(near.start), near.start);
      const between = lead.trim() ? ', ' : `,${source.newline}${lead}`;
      const place = near.node ? endOf(source, near.node) : near.head;
      return [{ from: place, to: place, text: between + written }];
    }
    if (!near) {
      throw new Tangled('there is nothing here to write it after');
    }
    const column = source.column(entries[0]?.start ?? near.start);
    const lines = key === null ? itemLines(value, column, this.step) : pairLines(key, value, column, this.step);
    const place = this.after(near, column);
    const gap = this.hasGaps(entries) ? source.newline : '';
    const text = lines.join(source.newline) + source.newline;
    const isOpen = place === source.text.length && !source.text.endsWith('\n');
    return [{ from: place, to: place, text: isOpen ? source.newline + gap + text.trimEnd() : gap + text }];
  }

  private remove(node: YAMLMap | YAMLSeq, place: number): Edit[] {
    const { source } = this;
    const entries = this.entries(node);
    const one = entries[place];
    if (!one) {
      return [];
    }
    const end = one.node ? endOf(source, one.node) : one.head;
    const next = entries[place + 1];
    if (isFlow(node)) {
      const before = entries[place - 1];
      if (next) {
        return [{ from: one.start, to: next.start, text: '' }];
      }
      return before
        ? [{ from: before.node ? endOf(source, before.node) : before.head, to: end, text: '' }]
        : [{ from: (node.range?.[0] ?? 0) + 1, to: (node.range?.[1] ?? 1) - 1, text: '' }];
    }
    const column = source.column(one.start);
    if (entries.length === 1) {
      return [{ from: one.start, to: Math.max(end, one.head), text: isMap(node) ? '{}' : '[]' }];
    }
    const lineStart = source.lineStart(one.start);
    if (source.text.slice(lineStart, one.start).trim()) {
      return next ? [{ from: one.start, to: next.start, text: '' }] : [];
    }
    const stop = this.after(one, column);
    const blankBefore = /(\r?\n)[ \t]*\r?\n$/.exec(source.text.slice(0, lineStart));
    const blankAfter = stop >= source.text.length || /^[ \t]*\r?\n/.test(source.text.slice(stop));
    const from =
      blankBefore && blankAfter ? lineStart - blankBefore[0].length + (blankBefore[1]?.length ?? 0) : lineStart;
    return [{ from, to: stop, text: '' }];
  }

  private entries(node: YAMLMap | YAMLSeq): Entry[] {
    if (isMap(node)) {
      return (node.items as Pair<Node, Node | null>[]).map(pair => this.entryOf(pair));
    }
    const tokens = (node.srcToken as { items?: { start: { type: string; offset: number }[] }[] } | undefined)?.items;
    return (node.items as Node[]).map((item, place) => {
      const dash = isFlow(node) ? undefined : tokens?.[place]?.start.find(token => token.type === 'seq-item-ind');
      const start = dash?.offset ?? item.range?.[0] ?? 0;
      return { start, head: dash ? start + 1 : start, key: null, node: item };
    });
  }

  private entryOf(pair: Pair<Node, Node | null>): Entry {
    return {
      start: pair.key.range?.[0] ?? 0,
      head: afterColon(this.source, pair.key),
      key: keyOf(pair),
      node: pair.value,
    };
  }

  /** The start of the line after an entry, and after the comments below it that are indented deeper than it is. */
  private after(one: Entry, column: number): number {
    const { source } = this;
    let place = source.nextLine(Math.max(one.node ? endOf(source, one.node) : 0, one.head));
    let found = place;
    while (place < source.text.length) {
      const end = source.nextLine(place);
      const line = /^([ \t]*)(#?)/.exec(source.text.slice(place, end));
      const isBlank = !source.text.slice(place, end).trim();
      if (!isBlank && (!line?.[2] || (line[1]?.length ?? 0) <= column)) {
        break;
      }
      place = end;
      found = isBlank ? found : end;
    }
    return found;
  }

  /** Whether blank lines stand between the entries. */
  private hasGaps(entries: readonly Entry[]): boolean {
    const last = entries.at(-1);
    const before = entries.at(-2);
    if (!last || !before) {
      return false;
    }
    const between = this.source.text.slice(before.node ? endOf(this.source, before.node) : before.head, last.start);
    return /\n[ \t]*\r?\n/.test(between);
  }

  /** Whether an entry stands inside brackets. */
  private isInFlow(holder: Entry): boolean {
    let node = this.source.root;
    let within = false;
    while (isCollection(node)) {
      within ||= isFlow(node);
      const found = this.entries(node).findLast(one => one.start <= holder.start);
      if (!found || found.start === holder.start) {
        return within;
      }
      node = found.node;
    }
    return within;
  }

  /** The first keys of an empty text. */
  private begin(value: unknown): Edit[] {
    const { source } = this;
    const end = source.text.length;
    const lines = isRecord(value)
      ? Object.entries(value).flatMap(([key, one]) => pairLines(key, one, 0, this.step))
      : [];
    const lead = source.text && !source.text.endsWith('\n') ? source.newline : '';
    return [{ from: end, to: end, text: lead + lines.join(source.newline) + source.newline }];
  }

  private json(value: unknown, place: number): string {
    const indent = /\n([ \t]+)\S/.exec(this.source.text)?.[1];
    const lead = /^[ \t]*/.exec(this.source.text.slice(this.source.lineStart(place)))?.[0] ?? '';
    return JSON.stringify(value, null, indent).replaceAll('\n', `\n${lead}`);
  }
}

/** Whether two plain values are the same, whatever the order of their keys. */
export function same(one: unknown, other: unknown): boolean {
  if (one === other) {
    return true;
  }
  if (Array.isArray(one) && Array.isArray(other)) {
    return one.length === other.length && one.every((part, place) => same(part, other[place]));
  }
  if (isRecord(one) && isRecord(other)) {
    const keys = Object.keys(one);
    return keys.length === Object.keys(other).length && keys.every(key => key in other && same(one[key], other[key]));
  }
  return false;
}

/** `nested(['a', 'b'], 1)` is `{a: {b: 1}}`; an index makes a list of one. */
function nested(path: Path, value: unknown): unknown {
  return path.reduceRight<unknown>((inner, part) => (typeof part === 'number' ? [inner] : { [part]: inner }), value);
}

function styleOf(node: Node | null): Style {
  if (isScalar(node)) {
    return node.type;
  }
  return isCollection(node) && isFlow(node) && (node as YAMLMap).items.length ? 'FLOW' : undefined;
}

/** How many columns the document indents a level by. */
function stepOf(source: Source): number {
  const found = /^(?:[^\s#-][^\n]*:[ \t]*(?:#[^\n]*)?)\r?\n(?:[ \t]*(?:#[^\n]*)?\r?\n)*( +)[^\s#-]/m.exec(source.text);
  return Math.min(found?.[1]?.length ?? 2, 8);
}
