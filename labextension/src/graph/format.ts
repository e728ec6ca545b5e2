/** `820 ms`, `12.4 s`, `3 m 05 s`, `2 h 03 m`. */
export function duration(milliseconds: number): string {
  if (milliseconds < 999.5) {
    return `${milliseconds.toFixed(0)} ms`;
  }
  const seconds = milliseconds / 1000;
  if (seconds < 59.95) {
    return `${seconds.toFixed(1)} s`;
  }
  const whole = Math.round(seconds);
  const minutes = Math.floor(whole / 60);
  if (minutes < 60) {
    return `${minutes.toFixed(0)} m ${String(whole % 60).padStart(2, '0')} s`;
  }
  return `${Math.floor(minutes / 60).toFixed(0)} h ${String(minutes % 60).padStart(2, '0')} m`;
}

/** `950`, `1.2k`, `3.4M`. */
export function count(number: number): string {
  if (number < 1000) {
    return String(number);
  }
  return number < 999_950 ? `${(number / 1000).toFixed(1)}k` : `${(number / 1_000_000).toFixed(1)}M`;
}

/** `1 item`, `3 items`. */
export function plural(number: number, word: string): string {
  return `${count(number)} ${word}${number === 1 ? '' : 's'}`;
}

/** The time of day, to the second; of another day with its date. */
export function clock(moment: number, now = Date.now()): string {
  const date = new Date(moment);
  const time = date.toLocaleTimeString(undefined, { hour12: false });
  return date.toDateString() === new Date(now).toDateString() ? time : `${date.toLocaleDateString()} ${time}`;
}

/** A moment in full, for a hover. */
export function moment(milliseconds: number): string {
  return milliseconds ? new Date(milliseconds).toISOString().replace('T', ' ').replace('Z', ' UTC') : '';
}

const NUMBERS = 4;

/** The numbers of a state machine's transitions: `1, 3`, of many the first ones and the last. */
export function numbers(found: readonly number[]): string {
  const shown = found.length <= NUMBERS ? found : [...found.slice(0, NUMBERS - 1), '…', found.at(-1)];
  return shown.join(', ');
}
