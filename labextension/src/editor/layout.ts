/**
 * Where boxes and lines go: layers from left to right, few crossings, lines past the boxes that they don't concern.
 *
 * It does what `agentnb/runtime/graphs/layout.py` does, at each key stroke and also for what isn't valid yet.
 */

const ROW_GAP = 18;
/** Height that a line needs that passes a layer. */
const LANE = 12;
const SWEEPS = 8;
const PULLS = 10;
/** Larger graphs are placed in the order of their text: the sweeps would be felt at each key stroke. */
const SWEPT = 600;

export interface Box {
  id: string;
  width: number;
  height: number;
}

export interface Line {
  source: string;
  target: string;
  backward: boolean;
  /** In pairs of where it leaves and where it arrives, from left to right. */
  points: [number, number][];
}

export interface Layout {
  /** The left top corner of each box. */
  places: Map<string, { x: number; y: number }>;
  /** In the order of the pairs that were given. */
  lines: Line[];
  width: number;
  height: number;
}

/**
 * Places a graph that may have circles.
 *
 * @param boxes - In the order of the text.
 * @param pairs - What leads from where to where; none leads to itself.
 * @param start - Where to begin to look for circles; the first box by default.
 * @param gap - Room between two layers.
 */
export function arrange(
  boxes: readonly Box[],
  pairs: readonly (readonly [string, string])[],
  start: string,
  gap: number,
): Layout {
  const names = boxes.map(box => box.id);
  const sizes = new Map(boxes.map(box => [box.id, box]));
  const back = backward(names, pairs, start);
  const depth = depths(
    names,
    pairs.filter(pair => !back.has(pair)),
  );
  const grid: string[][] = Array.from({ length: Math.max(0, ...depth.values()) + 1 }, () => []);
  names.forEach(name => grid[depth.get(name) ?? 0]?.push(name));
  const heights = new Map(boxes.map(box => [box.id, box.height]));
  const chains = pairs.map((pair, number) => {
    const [first, last] = back.has(pair) ? [pair[1], pair[0]] : pair;
    const chain = [first];
    for (let place = (depth.get(first) ?? 0) + 1; place < (depth.get(last) ?? 0); place++) {
      const lane = `\0${String(number)}.${String(place)}`;
      grid[place]?.push(lane);
      heights.set(lane, LANE);
      chain.push(lane);
    }
    return [...chain, last];
  });
  const [right, left] = neighbours(grid, chains);
  const sorted = names.length > SWEPT ? grid : ordered(grid, left, right);
  const middles = middlesOf(sorted, heights, left, right);
  const widths = sorted.map(layer => Math.max(0, ...layer.map(name => sizes.get(name)?.width ?? 0)));
  const starts = widths.map((_, place) => sum(widths.slice(0, place)) + gap * place);
  const height = (name: string): number => heights.get(name) ?? 0;
  const middle = (name: string): number => middles.get(name) ?? 0;
  const all = [...middles.keys()];
  const top = all.reduce((least, name) => Math.min(least, middle(name) - height(name) / 2), Infinity);
  const bottom = all.reduce((most, name) => Math.max(most, middle(name) + height(name) / 2), -Infinity);
  const placed = new Map<string, { x: number; width: number; middle: number }>();
  sorted.forEach((layer, place) => {
    for (const name of layer) {
      const width = sizes.get(name)?.width ?? widths[place] ?? 0;
      const x = (starts[place] ?? 0) + ((widths[place] ?? 0) - width) / 2;
      placed.set(name, { x, width, middle: middle(name) - top });
    }
  });
  const lines = pairs.map((pair, number) => {
    const chain = chains[number] ?? [];
    const points = chain.slice(1).flatMap((name, place): [number, number][] => {
      const [from, to] = [placed.get(chain[place] ?? ''), placed.get(name)];
      return from && to
        ? [
            [from.x + from.width, from.middle],
            [to.x, to.middle],
          ]
        : [];
    });
    return { source: pair[0], target: pair[1], backward: back.has(pair), points };
  });
  return {
    places: new Map(
      boxes.map(box => {
        const found = placed.get(box.id);
        return [box.id, { x: found?.x ?? 0, y: (found?.middle ?? 0) - box.height / 2 }];
      }),
    ),
    lines,
    width: sum(widths) + gap * Math.max(widths.length - 1, 0),
    height: boxes.length ? bottom - top : 0,
  };
}

type Pair = readonly [string, string];
type Sides = ReadonlyMap<string, string[]>;

/** The pairs that close a circle, by depth-first search. */
function backward(names: readonly string[], pairs: readonly Pair[], start: string): Set<Pair> {
  const after = new Map<string, Pair[]>(names.map(name => [name, []]));
  pairs.forEach(pair => after.get(pair[0])?.push(pair));
  const back = new Set<Pair>();
  const done = new Set<string>();
  for (const first of [start, ...names]) {
    if (done.has(first) || !after.has(first)) {
      continue;
    }
    const path = new Set([first]);
    const stack = [{ name: first, next: 0 }];
    for (let top = stack.at(-1); top; top = stack.at(-1)) {
      const pair = after.get(top.name)?.[top.next++];
      if (!pair) {
        stack.pop();
        path.delete(top.name);
        done.add(top.name);
      } else if (path.has(pair[1])) {
        back.add(pair);
      } else if (!done.has(pair[1])) {
        path.add(pair[1]);
        stack.push({ name: pair[1], next: 0 });
      }
    }
  }
  return back;
}

function depths(names: readonly string[], pairs: readonly Pair[]): Map<string, number> {
  const depth = new Map(names.map(name => [name, 0]));
  const waiting = new Map(names.map(name => [name, 0]));
  const after = new Map<string, string[]>(names.map(name => [name, []]));
  for (const [one, other] of pairs) {
    after.get(one)?.push(other);
    waiting.set(other, (waiting.get(other) ?? 0) + 1);
  }
  const ready = names.filter(name => !waiting.get(name));
  for (let name = ready.pop(); name !== undefined; name = ready.pop()) {
    for (const other of after.get(name) ?? []) {
      depth.set(other, Math.max(depth.get(other) ?? 0, (depth.get(name) ?? 0) + 1));
      const rest = (waiting.get(other) ?? 0) - 1;
      waiting.set(other, rest);
      if (!rest) {
        ready.push(other);
      }
    }
  }
  return depth;
}

function neighbours(grid: readonly string[][], chains: readonly string[][]): [Sides, Sides] {
  const right = new Map<string, string[]>(grid.flat().map(name => [name, []]));
  const left = new Map<string, string[]>(grid.flat().map(name => [name, []]));
  for (const chain of chains) {
    chain.slice(1).forEach((name, place) => {
      right.get(chain[place] ?? '')?.push(name);
      left.get(name)?.push(chain[place] ?? '');
    });
  }
  return [right, left];
}

/** Sorts each layer by where the neighbours stand, back and forth, and keeps the order with the fewest crossings. */
function ordered(given: readonly string[][], left: Sides, right: Sides): string[][] {
  const grid = given.map(layer => [...layer]);
  let best = given.map(layer => [...layer]);
  let fewest = crossings(grid, right);
  for (let sweep = 0; sweep < SWEEPS && fewest; sweep++) {
    const [sides, layers] = sweep % 2 ? [right, grid.slice(0, -1).reverse()] : [left, grid.slice(1)];
    const place = new Map(grid.flatMap(layer => layer.map((name, index) => [name, index] as const)));
    for (const layer of layers) {
      const key = new Map(layer.map(name => [name, mean(sides.get(name) ?? [], place, place.get(name) ?? 0)]));
      layer.sort((one, other) => (key.get(one) ?? 0) - (key.get(other) ?? 0));
      layer.forEach((name, index) => place.set(name, index));
    }
    const count = crossings(grid, right);
    if (count < fewest) {
      best = grid.map(layer => [...layer]);
      fewest = count;
    }
  }
  return best;
}

function crossings(grid: readonly string[][], right: Sides): number {
  let count = 0;
  grid.slice(1).forEach((following, number) => {
    const place = new Map(following.map((name, index) => [name, index]));
    const ends = (grid[number] ?? []).flatMap(name =>
      (right.get(name) ?? []).map(other => place.get(other) ?? 0).sort((one, other) => one - other),
    );
    const tree = new Uint32Array(following.length + 2);
    ends.forEach((end, before) => {
      let smaller = 0;
      for (let index = end + 1; index > 0; index -= index & -index) {
        smaller += tree[index] ?? 0;
      }
      count += before - smaller;
      for (let index = end + 1; index < tree.length; index += index & -index) {
        tree[index] = (tree[index] ?? 0) + 1;
      }
    });
  });
  return count;
}

/** The height at which each middle stands: near its neighbours', in the layer's order, without overlaps. */
function middlesOf(
  grid: readonly string[][],
  sizes: ReadonlyMap<string, number>,
  left: Sides,
  right: Sides,
): Map<string, number> {
  const middles = new Map<string, number>();
  const place = (layer: readonly string[], wanted: readonly number[]): void => {
    const found = spread(
      wanted,
      layer.map(name => sizes.get(name) ?? 0),
    );
    layer.forEach((name, index) => middles.set(name, found[index] ?? 0));
  };
  grid.forEach(layer => {
    place(
      layer,
      layer.map(() => 0),
    );
  });
  for (let pull = 0; pull < PULLS; pull++) {
    for (const layer of pull % 2 ? [...grid].reverse() : grid) {
      place(
        layer,
        layer.map(name => {
          const one = (pull % 2 ? right : left).get(name) ?? [];
          const both = [...(left.get(name) ?? []), ...(right.get(name) ?? [])];
          return mean(pull < PULLS - 2 ? one : both, middles, middles.get(name) ?? 0);
        }),
      );
    }
  }
  return middles;
}

/** The places nearest to the wanted ones that keep the order and the gaps: isotonic regression by pooling neighbours. */
function spread(wanted: readonly number[], sizes: readonly number[]): number[] {
  const offsets: number[] = [];
  sizes.forEach((size, index) => {
    offsets.push(index ? (offsets[index - 1] ?? 0) + ((sizes[index - 1] ?? 0) + size) / 2 + ROW_GAP : 0);
  });
  const pools: [number, number][] = [];
  wanted.forEach((value, index) => {
    let pool: [number, number] = [value - (offsets[index] ?? 0), 1];
    for (let last = pools.at(-1); last && last[0] / last[1] > pool[0] / pool[1]; last = pools.at(-1)) {
      pools.pop();
      pool = [pool[0] + last[0], pool[1] + last[1]];
    }
    pools.push(pool);
  });
  const levels = pools.flatMap(([total, count]) => Array.from({ length: count }, () => total / count));
  return levels.map((level, index) => level + (offsets[index] ?? 0));
}

function mean(names: readonly string[], values: ReadonlyMap<string, number>, otherwise: number): number {
  return names.length ? sum(names.map(name => values.get(name) ?? 0)) / names.length : otherwise;
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}
