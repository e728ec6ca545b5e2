import { changed, same, Tangled } from './splicing';
import { isRecord } from './rendering';
import { parse, type Edit, type Path, type Source } from './source';

/**
 * A text on its way to another one: each change is a few edits of the text as it then is, checked by reading the result.
 *
 * `edits` holds all of them in the order in which they are to be applied, each to the text that those before it have made.
 */
export class Draft {
  readonly edits: Edit[] = [];

  constructor(private current: string) {}

  get text(): string {
    return this.current;
  }

  get source(): Source {
    return parse(this.current);
  }

  /**
   * Makes the value at a path another one; undefined takes it away.
   *
   * @param after - Of a new key: the sibling that it comes after.
   * @throws Tangled - The text is written in a way that can't be edited in place.
   */
  set(path: Path, value: unknown, after?: string): void {
    const source = this.source;
    if (source.document.errors.length) {
      throw new Tangled('the text has errors: mend them in the text first');
    }
    const wanted = withValue(source.data, path, value);
    const edits = changed(source, path, value, after);
    const text = applied(source.text, sequential(edits));
    const found = parse(text);
    if (found.document.errors.length || !same(found.data, wanted)) {
      throw new Tangled(`${path.join('.')} is written in a way that can't be edited here: change it in the text`);
    }
    this.take(edits);
  }

  /** Makes the value at a path what it is in another text, with its comments where both texts have it on lines of its own. */
  copy(other: Source, path: Path): void {
    this.set(path, valueAt(other.data, path));
    const { source } = this;
    const theirs = other.linesOf(path);
    const ours = source.linesOf(path);
    if (!theirs || !ours) {
      return;
    }
    const indent = ' '.repeat(other.column(theirs.from));
    const lines = other.text.slice(other.lineStart(theirs.from), theirs.to).split(/\r?\n/);
    if (!lines.every(line => !line.trim() || line.startsWith(indent))) {
      return;
    }
    const column = source.column(ours.from);
    const text = lines.map(line => line.trim() && ' '.repeat(column) + line.slice(indent.length)).join(source.newline);
    const edit = { from: source.lineStart(ours.from), to: ours.to, text };
    const found = parse(applied(this.current, [edit]));
    if (!found.document.errors.length && same(found.data, source.data)) {
      this.take([edit]);
    }
  }

  remove(path: Path): void {
    this.set(path, undefined);
  }

  /** Replaces a part of the text as it is. */
  replace(edits: readonly Edit[]): void {
    this.take(edits);
  }

  /** The plain value at a path. */
  at(path: Path): unknown {
    return valueAt(this.source.data, path);
  }

  private take(edits: readonly Edit[]): void {
    const ordered = sequential(edits);
    this.current = applied(this.current, ordered);
    this.edits.push(...ordered);
  }
}

/** The text after edits, each of the text that those before it have made. */
export function applied(text: string, edits: readonly Edit[]): string {
  return edits.reduce((before, { from, to, text: new_ }) => before.slice(0, from) + new_ + before.slice(to), text);
}

/** Edits of one text, as ones of which each is of the text that those before it have made: from the end to the beginning. */
function sequential(edits: readonly Edit[]): Edit[] {
  return edits
    .map((edit, place) => ({ edit, place }))
    .sort((one, other) => other.edit.from - one.edit.from || other.edit.to - one.edit.to || other.place - one.place)
    .map(({ edit }) => edit)
    .filter(({ from, to, text }) => from !== to || text);
}

export function valueAt(data: unknown, path: Path): unknown {
  return path.reduce<unknown>(
    (value, part) =>
      Array.isArray(value)
        ? (value[Number(part)] as unknown)
        : isRecord(value) && Object.hasOwn(value, part)
          ? value[part]
          : undefined,
    data,
  );
}

/** A copy of a plain value with another value at a path. */
export function withValue(data: unknown, path: Path, value: unknown): unknown {
  const [part, ...rest] = path;
  if (part === undefined) {
    return value;
  }
  if (Array.isArray(data) && typeof part === 'number') {
    const list = [...(data as unknown[])];
    if (!rest.length && value === undefined) {
      list.splice(part, 1);
    } else {
      list[Math.min(part, list.length)] = withValue(list[part], rest, value);
    }
    return list;
  }
  const inner = isRecord(data) ? data[part] : undefined;
  if (value === undefined && (!isRecord(data) || inner === undefined)) {
    return data;
  }
  const changed = withValue(inner, rest, value);
  if (typeof part === 'number') {
    return [changed];
  }
  const others = isRecord(data) ? data : {};
  if (changed === undefined) {
    return Object.fromEntries(Object.entries(others).filter(([key]) => key !== part));
  }
  return { ...others, [part]: changed };
}
