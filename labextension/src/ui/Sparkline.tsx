import { JSX } from 'react';

import { duration } from '../format';

export interface Mark {
  id: string;
  status: string;
  milliseconds: number;
}

const STEP = 5;
const HEIGHT = 18;

/** Durations as bars, the oldest on the left, in the colours of their statuses. */
export function Sparkline({ marks, label }: { marks: readonly Mark[]; label: string }): JSX.Element | null {
  if (!marks.length) {
    return null;
  }
  const longest = Math.max(1, ...marks.map(mark => mark.milliseconds));
  const width = marks.length * STEP;
  return (
    <svg className="agentnb-sparkline" width={width} height={HEIGHT} viewBox={`0 0 ${width} ${HEIGHT}`} role="img">
      <title>{label}</title>
      {marks.map((mark, place) => {
        const height = Math.max(2, (HEIGHT * mark.milliseconds) / longest);
        return (
          <rect
            key={mark.id}
            data-status={mark.status}
            x={place * STEP}
            y={HEIGHT - height}
            width={STEP - 1}
            height={height}
          >
            <title>{`${mark.status} · ${duration(mark.milliseconds)}`}</title>
          </rect>
        );
      })}
    </svg>
  );
}
