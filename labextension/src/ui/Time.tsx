import { JSX } from 'react';

import { Run } from '../api/types';
import { ago, duration, moment } from '../format';
import { tookMs } from '../live/runs';
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

/** How long a run took, or takes so far; nothing while it waits. */
export function Took({ run }: { run: Run }): JSX.Element | null {
  const now = useNow(!run.ended_at);
  const spent = tookMs(run, now);
  return spent === null ? null : (
    <span className="agentnb-figure">{duration(run.ended_at ? spent : whole(spent))}</span>
  );
}

/** Whole seconds: what still counts shows no tenths that jump. */
function whole(milliseconds: number): number {
  return Math.floor(milliseconds / 1000) * 1000;
}
