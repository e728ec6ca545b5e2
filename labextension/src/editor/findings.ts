import { escaped, references } from './expressions';
import type { Model } from './model';
import { rename } from './operations';
import { Draft } from './text/draft';
import { Tangled } from './text/splicing';
import type { Edit, Path, Source } from './text/source';

/** What the server says is wrong with a text. */
export interface ServerFinding {
  line: number;
  column: number;
  field: string;
  message: string;
  mend: string;
  severity: 'error' | 'warning';
}

/** One thing that is wrong, with its place in the text and on the canvas. */
export interface Finding {
  severity: 'error' | 'warning';
  message: string;
  mend: string;
  from: number;
  to: number;
  line: number;
  /** The step or the state that it concerns; empty for the workflow as a whole. */
  id: string;
  path: Path;
  /** What mends it at the press of a button. */
  fix: { label: string; edits: Edit[] } | null;
}

/** What can't be read at all. */
export function syntaxFindings(source: Source): Finding[] {
  return source.problems.map(({ from, to, message }) => ({
    severity: 'error',
    message,
    mend: '',
    from,
    to: Math.max(to, from + 1),
    line: source.lines.linePos(from).line,
    id: '',
    path: [],
    fix: null,
  }));
}

/** The server's findings, placed in a text that it has seen. */
export function placed(found: readonly ServerFinding[], model: Model): Finding[] {
  const { source } = model;
  return found.map(({ line, column, field, message, mend, severity }) => {
    const path = pathOf(field);
    const start = source.lines.lineStarts[line - 1];
    const span = source.spanOf(path);
    const from =
      start === undefined ? (span?.from ?? 0) : Math.min(start + Math.max(column - 1, 0), source.text.length);
    const place = path.length ? path : source.pathAt(from);
    const to = Math.max(span && span.to > from ? Math.min(span.to, source.lineEnd(from)) : source.lineEnd(from), from);
    const section = place[0] === 'steps' || place[0] === 'states' ? String(place[1] ?? '') : '';
    const finding: Finding = {
      severity,
      message,
      mend,
      from,
      to,
      line: line || source.lines.linePos(from).line,
      id: model.items.has(section) ? section : '',
      path: place,
      fix: null,
    };
    return { ...finding, fix: fixOf(finding, source) };
  });
}

/** `steps.a.needs[0]` as a path; a key that is no word stands as `["my key"]`. */
export function pathOf(field: string): Path {
  const path: (string | number)[] = [];
  for (const match of field.matchAll(/\[(\d+)\]|\["((?:[^"\\]|\\.)*)"\]|([^.[\]]+)/g)) {
    path.push(match[1] === undefined ? (match[2] ?? match[3] ?? '') : Number(match[1]));
  }
  return path;
}

/** The change that a mend speaks of, where it speaks of one that can be made. */
function fixOf({ mend, message, path, from, to }: Finding, source: Source): Finding['fix'] {
  const declared = /^Declare it: agents: \{([\w-]+):/.exec(mend)?.[1];
  if (declared) {
    const agent = { instructions: 'Say what this agent does.' };
    return fixed(`Declare ${declared}`, source, draft => draft.set(['agents', declared], agent));
  }
  const renamed = /^Rename it, for example (\w+)/.exec(mend)?.[1];
  if (renamed && path.length === 2) {
    return fixed(`Rename to ${renamed}`, source, draft => rename(draft, String(path[1]), renamed));
  }
  const wanted = /^Did you mean ([\w.:-]+)\?/.exec(mend)?.[1];
  if (!wanted) {
    return null;
  }
  const span = source.spanOf(path) ?? { from, to };
  const raw = source.text.slice(span.from, span.to);
  const names = [...raw.matchAll(/[\w-]+(?:[.:][\w-]+)*/g)].flatMap(match => [
    { name: match[0], at: match.index },
    ...partsOf(match[0], match.index),
  ]);
  const wrong = names.filter(
    one => one.name !== wanted && one.name.length > 1 && isNamed(message, one.name) && isNear(one.name, wanted),
  );
  const found = wrong.sort((one, other) => distance(one.name, wanted) - distance(other.name, wanted))[0];
  if (!found) {
    return null;
  }
  const start = span.from + found.at;
  return { label: `Use ${wanted}`, edits: [{ from: start, to: start + found.name.length, text: wanted }] };
}

function fixed(label: string, source: Source, change: (draft: Draft) => void): Finding['fix'] {
  const draft = new Draft(source.text);
  try {
    change(draft);
  } catch (reason) {
    if (reason instanceof Tangled) {
      return null;
    }
    throw reason;
  }
  return { label, edits: draft.edits };
}

function partsOf(name: string, at: number): { name: string; at: number }[] {
  return [...name.matchAll(/[\w-]+/g)].map(match => ({ name: match[0], at: at + match.index }));
}

function isNamed(message: string, name: string): boolean {
  return (
    new RegExp(`(?<![\\w-])${escaped(name)}(?![\\w-])`).test(message) ||
    references(message, true).some(one => one.name === name)
  );
}

function isNear(one: string, other: string): boolean {
  return distance(one, other) <= Math.max(2, Math.ceil(other.length / 2));
}

/** How many characters are to be changed to come from one word to another. */
function distance(one: string, other: string): number {
  let row = Array.from({ length: other.length + 1 }, (_, place) => place);
  for (let i = 1; i <= one.length; i++) {
    const next = [i];
    for (let j = 1; j <= other.length; j++) {
      next.push(
        Math.min((row[j] ?? 0) + 1, (next[j - 1] ?? 0) + 1, (row[j - 1] ?? 0) + (one[i - 1] === other[j - 1] ? 0 : 1)),
      );
    }
    row = next;
  }
  return row[other.length] ?? 0;
}
