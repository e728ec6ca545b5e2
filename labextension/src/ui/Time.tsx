import { JSX } from 'react';

import { ago, duration, moment } from '../format';
import { useNow } from './clock';

/** How long ago it was; the moment itself where the pointer rests. */
export function Ago({ at }: { at: string }): JSX.Element {
  const now = useNow();
  return (
    <time dateTime={at} title={moment(at)}>
      {ago(at, now)}
    </time>
  );
}

/** How long something took, or takes so far. */
export function Took({ from, to }: { from: string; to: string }): JSX.Element {
  const now = useNow(!to);
  const end = to ? Date.parse(to) : Math.max(now, Date.parse(from));
  return (
    <span className="agentnb-figure">{duration(to ? end - Date.parse(from) : whole(end - Date.parse(from)))}</span>
  );
}

/** Whole seconds: what still counts shows no tenths that jump. */
function whole(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000;
}
