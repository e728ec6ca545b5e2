/** A line of two texts that are compared; null where one of them has none. */
export interface Line {
  a: string | null;
  b: string | null;
  same: boolean;
}

/** Texts longer than that are shown whole, line by line in parallel: comparing them would hold up the page. */
const MOST = 2000;

/**
 * Two texts line by line, side by side: lines that both have stand beside each other.
 *
 * The longest common subsequence of lines, after what is the same at both ends is taken away.
 */
export function sideBySide(a: string, b: string): Line[] {
  const left = a ? a.split('\n') : [];
  const right = b ? b.split('\n') : [];
  let start = 0;
  while (start < left.length && start < right.length && left[start] === right[start]) {
    start++;
  }
  let end = 0;
  while (end < left.length - start && end < right.length - start && left.at(-1 - end) === right.at(-1 - end)) {
    end++;
  }
  const middle = changed(left.slice(start, left.length - end), right.slice(start, right.length - end));
  const same = (line: string): Line => ({ a: line, b: line, same: true });
  return [...left.slice(0, start).map(same), ...middle, ...left.slice(left.length - end).map(same)];
}

function changed(left: string[], right: string[]): Line[] {
  const common = left.length > MOST || right.length > MOST ? [] : commonOf(left, right);
  const lines: Line[] = [];
  let [i, j] = [0, 0];
  for (const [m, n] of [...common, [left.length, right.length] as const]) {
    for (let k = 0; k < Math.max(m - i, n - j); k++) {
      lines.push({
        a: i + k < m ? (left[i + k] ?? null) : null,
        b: j + k < n ? (right[j + k] ?? null) : null,
        same: false,
      });
    }
    if (m < left.length || n < right.length) {
      lines.push({ a: left[m] ?? null, b: right[n] ?? null, same: true });
    }
    [i, j] = [m + 1, n + 1];
  }
  return lines;
}

/** The places of the longest common subsequence. */
function commonOf(left: string[], right: string[]): (readonly [number, number])[] {
  const width = right.length + 1;
  const lengths = new Uint16Array((left.length + 1) * width);
  const at = (i: number, j: number): number => lengths[i * width + j] ?? 0;
  for (let i = left.length - 1; i >= 0; i--) {
    for (let j = right.length - 1; j >= 0; j--) {
      lengths[i * width + j] = left[i] === right[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
    }
  }
  const found: (readonly [number, number])[] = [];
  let [i, j] = [0, 0];
  while (i < left.length && j < right.length) {
    if (left[i] === right[j]) {
      found.push([i++, j++]);
    } else if (at(i + 1, j) >= at(i, j + 1)) {
      i++;
    } else {
      j++;
    }
  }
  return found;
}

/** The lines with long stretches that are the same folded: a number stands for so many lines. */
export function folded(lines: readonly Line[], context = 3): (Line | number)[] {
  const near = lines.map((_, place) =>
    lines.slice(Math.max(0, place - context), place + context + 1).some(line => !line.same),
  );
  const result: (Line | number)[] = [];
  for (const [place, line] of lines.entries()) {
    const last = result.at(-1);
    if (near[place]) {
      result.push(line);
    } else if (typeof last === 'number') {
      result[result.length - 1] = last + 1;
    } else {
      result.push(1);
    }
  }
  return result;
}
