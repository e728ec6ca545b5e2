import {
  isAlias,
  isCollection,
  isMap,
  isPair,
  isScalar,
  isSeq,
  LineCounter,
  parseDocument,
  type Document,
  type Node,
  type Pair,
  type YAMLMap,
  type YAMLSeq,
} from 'yaml';

/** Where a value stands in a document: keys of mappings and indices of lists. */
export type Path = readonly (string | number)[];

/** A part of a text that becomes another one. */
export interface Edit {
  from: number;
  to: number;
  text: string;
}

/** Something that the parser could not read. */
export interface SyntaxProblem {
  from: number;
  to: number;
  message: string;
}

/** A parsed text, with the places of all that stands in it. It is read tolerantly: what has errors is read as far as it goes. */
export class Source {
  readonly document: Document.Parsed;
  readonly lines = new LineCounter();
  /** Whether the text is JSON, and edits have to be. */
  readonly isJson: boolean;
  private plain: { value: unknown } | null = null;

  constructor(readonly text: string) {
    this.isJson = /^\uFEFF?\s*[{[]\s*(["}\]]|$)/.test(text);
    this.document = parseDocument(text, {
      keepSourceTokens: true,
      lineCounter: this.lines,
      logLevel: 'silent',
      uniqueKeys: true,
      version: '1.2',
    });
  }

  get root(): Node | null {
    return this.document.contents;
  }

  get problems(): SyntaxProblem[] {
    return this.document.errors.map(({ message, pos }) => ({
      from: pos[0],
      to: Math.max(pos[1], pos[0]),
      message: message.split(' at line ')[0] ?? message,
    }));
  }

  /** The plain value of the whole. */
  get data(): unknown {
    this.plain ??= { value: toPlain(this.document) };
    return this.plain.value;
  }

  /** The node at a path; undefined where there is none, or where it goes through an alias. */
  at(path: Path): Node | undefined {
    let node: Node | null | undefined = this.root;
    for (const part of path) {
      if (isMap(node)) {
        node = entry(node, part)?.value;
      } else if (isSeq(node) && typeof part === 'number') {
        node = node.items[part] as Node | undefined;
      } else {
        return undefined;
      }
    }
    return node ?? undefined;
  }

  /** Where the value at a path stands, with its key. */
  spanOf(path: Path): { from: number; to: number } | undefined {
    const node = this.at(path);
    const last = path.at(-1);
    const parent = path.length ? this.at(path.slice(0, -1)) : undefined;
    const key = isMap(parent) && last !== undefined ? entry(parent, last)?.key : undefined;
    const from = key?.range?.[0] ?? node?.range?.[0];
    if (from === undefined) {
      return undefined;
    }
    return { from, to: Math.max(node ? endOf(this, node) : from, key?.range?.[1] ?? from) };
  }

  /** From the key at a path to the end of the last line of its value; undefined where something else stands before it. */
  linesOf(path: Path): { from: number; to: number } | undefined {
    const span = this.spanOf(path);
    return span && !this.text.slice(this.lineStart(span.from), span.from).trim()
      ? { from: span.from, to: this.lineEnd(span.to) }
      : undefined;
  }

  /** The path of the innermost value around a place of the text. */
  pathAt(offset: number): Path {
    const path: (string | number)[] = [];
    let node: Node | null | undefined = this.root;
    for (;;) {
      let next: { part: string | number; node: Node | null | undefined } | undefined;
      if (isMap(node)) {
        for (const pair of node.items as Pair<Node, Node | null>[]) {
          if ((pair.key.range?.[0] ?? Infinity) <= offset) {
            next = { part: keyOf(pair), node: pair.value };
          }
        }
      } else if (isSeq(node)) {
        node.items.forEach((item, place) => {
          if (((item as Node).range?.[0] ?? Infinity) <= offset) {
            next = { part: place, node: item as Node };
          }
        });
      }
      if (!next) {
        return path;
      }
      path.push(next.part);
      node = next.node;
    }
  }

  lineStart(offset: number): number {
    return this.text.lastIndexOf('\n', offset - 1) + 1;
  }

  /** Where the line ends that an offset is in, before its line break. */
  lineEnd(offset: number): number {
    const found = /\r?\n|$/.exec(this.text.slice(offset));
    return offset + (found?.index ?? 0);
  }

  /** The start of the next line. */
  nextLine(offset: number): number {
    const end = this.text.indexOf('\n', offset);
    return end < 0 ? this.text.length : end + 1;
  }

  column(offset: number): number {
    return offset - this.lineStart(offset);
  }

  get newline(): string {
    return /\r\n|\n/.exec(this.text)?.[0] ?? '\n';
  }
}

const recent: Source[] = [];

/** The parsed text; the last ones are kept. */
export function parse(text: string): Source {
  const known = recent.find(source => source.text === text);
  if (known) {
    return known;
  }
  const source = new Source(text);
  recent.unshift(source);
  recent.length = Math.min(recent.length, 4);
  return source;
}

/** The pair of a mapping with that key. */
export function entry(map: YAMLMap, key: string | number): Pair<Node, Node | null> | undefined {
  return (map.items as Pair<Node, Node | null>[]).find(pair => keyOf(pair) === String(key));
}

export function keyOf(pair: Pair): string {
  return isScalar(pair.key) ? String(pair.key.value) : '';
}

/** Where a value ends, without the comments and blank lines after it that mean nothing. */
export function endOf(source: Source, node: Node): number {
  const [start, end] = node.range ?? [0, 0, 0];
  if (isCollection(node) && !isFlow(node)) {
    const last: unknown = node.items.at(-1);
    if (isPair(last)) {
      const { key, value } = last as Pair<Node, Node | null>;
      return Math.max(key.range?.[1] ?? start, afterColon(source, key), value ? endOf(source, value) : 0);
    }
    return last ? endOf(source, last as Node) : end;
  }
  if (isScalar(node) && (node.type === 'BLOCK_LITERAL' || node.type === 'BLOCK_FOLDED')) {
    const text = source.text.slice(start, end);
    return /^[|>][-\d]*\+/.test(text) ? start + text.replace(/\r?\n$/, '').length : start + text.trimEnd().length;
  }
  return end;
}

/** The place behind the colon of a key; the end of the key where there is none. */
export function afterColon(source: Source, key: Node): number {
  const end = key.range?.[1] ?? 0;
  const found = /^\s*:/.exec(source.text.slice(end, end + 200));
  return found ? end + found[0].length : end;
}

export function isFlow(node: YAMLMap | YAMLSeq): boolean {
  return node.flow === true;
}

/** Whether there is an alias or an anchor on the way to a value, or in it: what is edited there changes elsewhere. */
export function isShared(node: Node | undefined): boolean {
  return isAlias(node) || Boolean((node as { anchor?: string } | undefined)?.anchor);
}

function toPlain(document: Document.Parsed): unknown {
  try {
    return document.toJS({ maxAliasCount: 100 }) as unknown;
  } catch {
    return null; // unresolved or too many aliases: the problems say so
  }
}
