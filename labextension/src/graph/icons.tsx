import type { ReactElement } from 'react';

import type { NodeStatus } from './types';

/** The same outlines as in the static picture (`agentnb/notebook/graph_svg.py`). */
const KINDS: Record<string, string> = {
  agent: 'M7 1l1.5 4.5L13 7 8.5 8.5 7 13 5.5 8.5 1 7l4.5-1.5z',
  tool: 'M4.5 3L1 7l3.5 4M9.5 3L13 7l-3.5 4M8 2.5l-2 9',
  shell: 'M1.5 2.5l4 4-4 4M7 11.5h5.5',
  human: 'M7 6.5a2.6 2.6 0 1 0 0-5.2 2.6 2.6 0 0 0 0 5.2zM1.8 12.7c.3-2.6 2.4-3.7 5.2-3.7s4.9 1.1 5.2 3.7',
  webhook: 'M7 1.5a5.5 5.5 0 1 0 0 11 5.5 5.5 0 0 0 0-11zM1.5 7h11M7 1.5c3 3.2 3 7.8 0 11M7 1.5c-3 3.2-3 7.8 0 11',
  workflow: 'M1.5 1.5h4.5v4h-4.5zM8 8.5h4.5v4h-4.5zM6 3.5h2.5a1.8 1.8 0 0 1 1.8 1.8v3.2',
  state: 'M7 2.5a4.5 4.5 0 1 0 0 9 4.5 4.5 0 0 0 0-9z',
};

const CIRCLE = 'M5 1a4 4 0 1 0 0 8a4 4 0 1 0 0-8z';

const STATUSES: Record<NodeStatus, string> = {
  queued: CIRCLE,
  running: CIRCLE,
  waiting: 'M3 1.5v7M7 1.5v7',
  completed: 'M1 5.3l2.7 3L9 1.7',
  failed: 'M1.7 1.7l6.6 6.6M8.3 1.7L1.7 8.3',
  cancelled: `${CIRCLE}M2.2 7.8l5.6-5.6`,
  skipped: 'M1 5h8',
  stale: 'M5 .5L9.5 5 5 9.5.5 5z',
  replayed: 'M8.6 3.3A4 4 0 1 0 8.9 6M9.3.7v2.9H6.4',
};

const SIGNS = {
  close: 'M3 3l8 8M11 3l-8 8',
  unfold: 'M4 5.5l3 3 3-3',
  fold: 'M4 8.5l3-3 3 3',
  in: 'M7 3v8M3 7h8',
  out: 'M3 7h8',
  fit: 'M2 5V2h3M9 2h3v3M12 9v3H9M5 12H2V9',
  search: 'M6.2 10.4a4.2 4.2 0 1 0 0-8.4 4.2 4.2 0 0 0 0 8.4zM9.3 9.3L12.5 12.5',
  condition: 'M7 3.2L10.8 7 7 10.8 3.2 7z',
};

export function KindIcon({ kind }: { kind: string }): ReactElement {
  return <Outline className="agentnb-flow-kind" size={14} d={KINDS[kind] ?? KINDS.state ?? ''} />;
}

export function Sign({ name }: { name: keyof typeof SIGNS }): ReactElement {
  return <Outline className="agentnb-flow-sign" size={14} d={SIGNS[name]} />;
}

/** The glyph of a status; only that of `running` moves. */
export function StatusIcon({ status }: { status: NodeStatus }): ReactElement {
  return (
    <svg
      className="agentnb-flow-status-icon"
      data-status={status}
      width="10"
      height="10"
      viewBox="0 0 10 10"
      aria-hidden="true"
    >
      <path d={STATUSES[status]} />
      {status === 'running' && <path className="agentnb-flow-half" d="M5 1a4 4 0 0 1 0 8z" />}
    </svg>
  );
}

function Outline({ className, size, d }: { className: string; size: number; d: string }): ReactElement {
  return (
    <svg className={className} width={size} height={size} viewBox="0 0 14 14" aria-hidden="true">
      <path d={d} />
    </svg>
  );
}
