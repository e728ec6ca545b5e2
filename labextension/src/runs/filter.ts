import { STATUSES } from '../format';

/** What of a run the filter looks at. */
export interface Filterable {
  id: string;
  kind: string;
  name: string;
  status: string;
  reason: string;
  user: string;
  session: string;
  started_at: string;
}

/** A filter as it was typed, read. */
export interface Filter {
  /** What the server can look for: a status, a kind, a name and the earliest moment, where exactly one is wanted. */
  query: { status?: string; kind?: string; name?: string; since?: string };
  /** What is wrong with it, or empty. */
  problem: string;
  /** Whether a run passes. */
  accepts: (run: Filterable) => boolean;
}

/** The words before a colon, and what they look at. */
export const KEYS = ['status', 'kind', 'agent', 'workflow', 'job', 'name', 'id', 'user', 'session', 'reason'] as const;

type Key = (typeof KEYS)[number];
type Test = (run: Filterable) => boolean;

const KINDS = ['agent', 'workflow', 'job'];
const PERIOD = /^(\d+)(min|h|d|w)$/;
const UNITS: Readonly<Record<string, number>> = { min: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };

/**
 * Reads a filter: words that all must hold, as `status:failed agent:helper today`.
 *
 * `key:value` looks at one field, several values are divided by commas; `-` before a word turns it round; `today`,
 * `yesterday` and periods such as `30min`, `2h`, `7d` are times; any other word is looked for in name, ID and reason.
 * Text with blanks stands in quotes.
 *
 * @param text - What was typed.
 * @param now - Milliseconds since the epoch, for words such as `today`.
 */
export function parseFilter(text: string, now: number): Filter {
  const query: Filter['query'] = {};
  const tests: Test[] = [];
  const problems: string[] = [];
  for (const word of wordsOf(text)) {
    const turned = word.startsWith('-') && word.length > 1;
    const read = readWord(turned ? word.slice(1) : word, now);
    if (typeof read === 'string') {
      problems.push(read);
      continue;
    }
    tests.push(turned ? run => !read.test(run) : read.test);
    if (!turned) {
      Object.assign(query, read.query);
    }
  }
  return { query, problem: problems.join(' · '), accepts: run => tests.every(test => test(run)) };
}

/** The words of a filter; quotes hold blanks together. */
export function wordsOf(text: string): string[] {
  return [...text.matchAll(/(?:[^\s"]|"[^"]*"?)+/g)].map(([word]) => word.replace(/"/g, ''));
}

/** The filter with one word put in, or taken out where it is there. */
export function toggleWord(text: string, word: string): string {
  const quoted = /\s/.test(word) ? `"${word}"` : word;
  const words = text.trim().split(/\s+/).filter(Boolean);
  const others = words.filter(other => other !== quoted);
  return (others.length < words.length ? others : [...words, quoted]).join(' ');
}

function readWord(word: string, now: number): { test: Test; query?: Filter['query'] } | string {
  const time = readTime(word, now);
  if (time) {
    return time;
  }
  const colon = word.indexOf(':');
  if (colon <= 0) {
    return { test: containing(word) };
  }
  const key = word.slice(0, colon).toLowerCase();
  const values = word
    .slice(colon + 1)
    .split(',')
    .filter(Boolean);
  if (!isKey(key)) {
    return `there is no ${key}: (${KEYS.join(', ')})`;
  }
  return values.length ? readKey(key, values) : { test: () => true }; // nothing behind the colon yet
}

function readKey(key: Key, values: string[]): { test: Test; query?: Filter['query'] } | string {
  const only = values.length === 1 ? values[0] : undefined;
  switch (key) {
    case 'status': {
      // While a word is being typed, its beginning is enough.
      const known = values.map(value => STATUSES.filter(status => status.startsWith(value.toLowerCase())));
      const wrong = values.find((_, place) => !known[place]?.length);
      const wanted: readonly string[] = known.flat();
      return wrong === undefined
        ? {
            test: run => wanted.includes(run.status),
            query: wanted.length === 1 && wanted[0] ? { status: wanted[0] } : {},
          }
        : `there is no status ${wrong} (${STATUSES.slice(0, 6).join(', ')})`;
    }
    case 'kind':
      return {
        test: run => values.some(value => run.kind.startsWith(value.toLowerCase())),
        query: only !== undefined && KINDS.includes(only) ? { kind: only } : {},
      };
    case 'agent':
    case 'workflow':
    case 'job':
      return { test: run => run.kind === key && values.some(value => has(run.name, value)), query: { kind: key } };
    case 'id':
      return { test: run => values.some(value => run.id.startsWith(value) || run.id.endsWith(value)) };
    case 'name':
    case 'user':
    case 'session':
    case 'reason':
      return { test: run => values.some(value => has(run[key], value)) };
  }
}

function readTime(word: string, now: number): { test: Test; query?: Filter['query'] } | null {
  const midnight = new Date(now).setHours(0, 0, 0, 0);
  if (word === 'yesterday') {
    const before = new Date(midnight - 1).setHours(0, 0, 0, 0);
    return {
      test: run => Date.parse(run.started_at) >= before && Date.parse(run.started_at) < midnight,
      query: { since: new Date(before).toISOString() },
    };
  }
  const period = PERIOD.exec(word);
  const size = UNITS[period?.[2] ?? ''];
  const start = word === 'today' ? midnight : period && size ? now - Number(period[1]) * size : null;
  return start === null
    ? null
    : { test: run => Date.parse(run.started_at) >= start, query: { since: new Date(start).toISOString() } };
}

function containing(word: string): Test {
  return run => has(run.name, word) || has(run.id, word) || has(run.reason, word) || has(run.status, word);
}

function has(text: string, part: string): boolean {
  return text.toLowerCase().includes(part.toLowerCase());
}

function isKey(word: string): word is Key {
  return (KEYS as readonly string[]).includes(word);
}
