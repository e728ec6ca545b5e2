import { useState, type ReactElement } from 'react';

import { clock, count, duration, moment } from './format';
import { KindIcon, StatusIcon } from './icons';
import { useNow } from './live';
import { sorted, type Column } from './rows';
import { elapsed, isTicking, statusWord } from './status';
import type { ListProps } from './Timeline';

const COLUMNS: { name: Column; title: string }[] = [
  { name: 'name', title: 'Step' },
  { name: 'status', title: 'Status' },
  { name: 'start', title: 'Started' },
  { name: 'duration', title: 'Duration' },
  { name: 'tokens', title: 'Tokens' },
];

/** The steps as a table; also what a screen reader reads best. */
export function Table({ rows, selected, onSelect }: ListProps): ReactElement {
  const [order, setOrder] = useState<{ column: Column; down: boolean } | null>(null);
  const now = useNow(rows.some(row => isTicking(row.state)));
  const shown = order ? sorted(rows, order.column, order.down) : rows;
  return (
    <table className="agentnb-flow-table" data-testid="table">
      <thead>
        <tr>
          {COLUMNS.map(({ name, title }) => (
            <th
              key={name}
              scope="col"
              aria-sort={order?.column === name ? (order.down ? 'descending' : 'ascending') : undefined}
            >
              <button
                type="button"
                onClick={() =>
                  setOrder({ column: name, down: order?.column === name ? !order.down : name === 'tokens' })
                }
              >
                {title}
                {order?.column === name ? (order.down ? ' ↓' : ' ↑') : ''}
              </button>
            </th>
          ))}
          <th scope="col">Note</th>
        </tr>
      </thead>
      <tbody>
        {shown.map(({ path, node, state, depth }) => (
          <tr
            key={path}
            className={path === selected ? 'agentnb-flow-selected' : undefined}
            data-status={state?.status ?? 'queued'}
            data-testid={`row:${path}`}
            onClick={() => onSelect(path)}
          >
            <th scope="row" style={{ paddingLeft: `${String(8 + depth * 16)}px` }}>
              <button type="button" title={node.hint}>
                <KindIcon kind={node.kind} />
                {node.title}
              </button>
            </th>
            <td className="agentnb-flow-status" data-status={state?.status ?? 'queued'}>
              <StatusIcon status={state?.status ?? 'queued'} /> {state ? statusWord(state) : 'queued'}
            </td>
            <td title={moment(state?.started_at ?? 0)}>{state?.started_at ? clock(state.started_at) : ''}</td>
            <td>{state && elapsed(state, now) ? duration(elapsed(state, now)) : ''}</td>
            <td>{state?.tokens ? count(state.tokens) : ''}</td>
            <td title={state?.error}>
              {[
                state?.items ? `${String(state.items.done)}/${String(state.items.total)} items` : '',
                (state?.attempts ?? 0) > 1 ? `${String(state?.attempts)} attempts` : '',
                (state?.visits ?? 0) > 1 ? `${String(state?.visits)} visits` : '',
                state?.asks ? `asks ${state.asks}` : '',
                state?.error ?? '',
              ]
                .filter(Boolean)
                .join(' · ')}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
