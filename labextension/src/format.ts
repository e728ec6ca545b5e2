/** Numbers, times and statuses as people read them: the same words as in a cell's answer. */

import { duration } from './graph/format';

export { count, duration, plural } from './graph/format';

/** The statuses that a run, a step or a result has on the screen. */
export const STATUSES = [
  'queued',
  'running',
  'waiting',
  'completed',
  'failed',
  'cancelled',
  'skipped',
  'stale',
  'replayed',
] as const;

export type Status = (typeof STATUSES)[number];

/** US dollars; null is a cost that nobody knows. */
export function money(cost: number | null | undefined): string {
  return cost === null || cost === undefined ? '–' : `$${cost.toFixed(4)}`;
}

/** `93 MB`, as download sizes are said: of a million bytes each. */
export function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toString()} MB`;
}

/** `+0.3 s`, `−120`, `±0`: how much more, said by a function for the amount. */
export function change(amount: number, say: (amount: number) => string): string {
  const said = say(Math.abs(amount));
  return said === say(0) ? '±0' : `${amount > 0 ? '+' : '−'}${said}`;
}

/** `just now`, `5 min ago`, `3 h ago`, `2 d ago`; of a day that is more than a month away, the date. */
export function ago(timestamp: string, now: number): string {
  const seconds = (now - Date.parse(timestamp)) / 1000;
  if (Number.isNaN(seconds)) {
    return '';
  }
  if (seconds < 60) {
    return 'just now';
  }
  if (seconds < 3600) {
    return `${Math.floor(seconds / 60).toString()} min ago`;
  }
  if (seconds < 86_400) {
    return `${Math.floor(seconds / 3600).toString()} h ago`;
  }
  return seconds < 30 * 86_400
    ? `${Math.floor(seconds / 86_400).toString()} d ago`
    : new Date(timestamp).toLocaleDateString();
}

/** `due now`, `in 5 min`, `in 3 h`, `in 2 d`: how long it is until a moment. */
export function ahead(timestamp: string, now: number): string {
  const seconds = (Date.parse(timestamp) - now) / 1000;
  if (Number.isNaN(seconds)) {
    return '';
  }
  if (seconds < 60) {
    return seconds <= 0 ? 'due now' : 'in a minute';
  }
  if (seconds < 3600) {
    return `in ${Math.floor(seconds / 60).toString()} min`;
  }
  return seconds < 2 * 86_400
    ? `in ${Math.floor(seconds / 3600).toString()} h`
    : `in ${Math.floor(seconds / 86_400).toString()} d`;
}

/** The time that is left until a moment (seconds since the epoch): `4 m 10 s left`, `overdue`. */
export function left(due: number, now: number): string {
  const rest = due * 1000 - now;
  return rest > 0 ? `${duration(rest < 60_000 ? Math.ceil(rest / 1000) * 1000 : rest)} left` : 'overdue';
}

/** A moment of the day with milliseconds, for lists of events. */
export function clock(timestamp: string): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime())
    ? ''
    : `${twoDigits(date.getHours())}:${twoDigits(date.getMinutes())}:${twoDigits(date.getSeconds())}.${date.getMilliseconds().toString().padStart(3, '0')}`;
}

/** A moment in full, in the reader's own time zone: for what is shown when the pointer rests. */
export function moment(timestamp: string): string {
  const date = new Date(timestamp);
  return Number.isNaN(date.getTime())
    ? ''
    : date.toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
}

/** A value in one line: text as it is, everything else as JSON, shortened. */
export function compact(value: unknown, most = 120): string {
  if (value === null || value === undefined) {
    return '';
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  const line = text
    .slice(0, most * 4)
    .replace(/\s+/g, ' ')
    .trim();
  return line.length > most ? `${line.slice(0, most)}…` : line;
}

/** A value as text that can be read, compared and copied. */
export function readable(value: unknown): string {
  return typeof value === 'string' ? value : (JSON.stringify(value, null, 2) ?? '');
}

/** The last part of an ID, which tells runs apart at a glance: `exec_20261125_155813_9f3a` is `9f3a`. */
export function shortId(id: string): string {
  return id.length <= 12 ? id : `…${id.slice(-6)}`;
}

function twoDigits(number: number): string {
  return number.toString().padStart(2, '0');
}
