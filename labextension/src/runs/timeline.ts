import { beginOf, endOf, Step, Steps } from '../live/steps';

/** A row of the timeline. */
export interface Row {
  step: Step;
  depth: number;
  /** How many rows it holds that are part of it, and how many of them have ended well; 0 for none. */
  parts: number;
  done: number;
}

const WAYS = /\.|\[/;

/**
 * The rows of the timeline: each step behind the one that it is part of, in the order in which they began.
 *
 * A tool call is part of the model call that asked for it (`m1.t2`), an item of its fan-out (`each[3]`).
 *
 * @param steps - The steps of a run.
 * @param open - The steps whose items are shown.
 */
export function rowsOf(steps: Steps, open: ReadonlySet<string>): Row[] {
  const children = new Map<string, Step[]>();
  const top: Step[] = [];
  for (const step of steps.values()) {
    const parent = parentOf(step.id, steps);
    if (parent) {
      children.set(parent, [...(children.get(parent) ?? []), step]);
    } else {
      top.push(step);
    }
  }
  const rows: Row[] = [];
  const add = (step: Step, depth: number): void => {
    const parts = children.get(step.id) ?? [];
    const items = parts.filter(part => part.id.endsWith(']'));
    const done = items.filter(part => part.status === 'completed' || part.status === 'skipped').length;
    rows.push({ step, depth, parts: items.length, done });
    for (const part of parts) {
      if (!items.includes(part) || open.has(step.id)) {
        add(part, depth + 1);
      }
    }
  };
  top.forEach(step => add(step, 0));
  return rows;
}

/** The step that another one is part of; empty for none. */
function parentOf(id: string, steps: Steps): string {
  for (let end = id.length - 1; end > 0; end--) {
    if (WAYS.test(id[end] ?? '') && steps.has(id.slice(0, end))) {
      return id.slice(0, end);
    }
  }
  return '';
}

/** The stretch of time that the steps take, in milliseconds since the epoch; never empty. */
export function axisOf(steps: Steps, begin: number, end: number, now: number): { from: number; to: number } {
  let [from, to] = [begin, end];
  for (const step of steps.values()) {
    from = Math.min(from, beginOf(step) ?? from);
    to = Math.max(to, step.spans.length ? endOf(step, now) : to);
  }
  return { from, to: Math.max(to, from + 1) };
}

const SHORT = [1, 2, 5, 10, 20, 50, 100, 200, 500];
const LONG = [1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 21_600, 43_200, 86_400];

/** Where the axis has its marks: milliseconds after its beginning, at most so many. */
export function ticksOf(length: number, most: number): number[] {
  const sizes = [...SHORT, ...LONG.map(seconds => seconds * 1000)];
  const size =
    sizes.find(candidate => length / candidate <= most) ?? Math.ceil(length / most / 86_400_000) * 86_400_000;
  return Array.from({ length: Math.floor(length / size) + 1 }, (_, place) => place * size);
}
