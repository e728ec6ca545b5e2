type Point = readonly [number, number];

/** The path of a line through its points, which come in pairs. */
export function curve(points: readonly Point[]): string {
  const parts: string[] = [];
  for (let place = 0; place + 1 < points.length; place += 2) {
    const [x1, y1] = points[place] ?? [0, 0];
    const [x2, y2] = points[place + 1] ?? [0, 0];
    const bend = (x2 - x1) / 2;
    parts.push(`${place ? 'L' : 'M'}${at(x1, y1)}C${at(x1 + bend, y1)} ${at(x2 - bend, y2)} ${at(x2, y2)}`);
  }
  return parts.join('');
}

/** The point of the arrow. */
export function head(points: readonly Point[], backward = false): string {
  const [x, y] = (backward ? points[0] : points.at(-1)) ?? [0, 0];
  return backward ? `M${at(x + 6, y - 4)}l-5.5 4 5.5 4` : `M${at(x - 6, y - 4)}l5.5 4-5.5 4`;
}

/** A loop above a box whose top has its middle there. */
export function loop(x: number, y: number): string {
  return `M${at(x + 14, y)}c0-18-28-18-28-1m-4-4l4 4.5 4-4.5`;
}

function at(x: number, y: number): string {
  return `${x.toFixed(1)} ${y.toFixed(1)}`;
}
