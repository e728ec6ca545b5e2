import { InputGroup } from '@jupyterlab/ui-components';
import { JSX, useMemo, useState } from 'react';

import { JournalEvent } from '../api/types';
import { clock, compact, moment } from '../format';
import { Tree } from '../ui/Json';
import { useRows } from '../ui/rows';
import { Empty, Skeleton } from '../ui/states';

/** Pixels; as in the stylesheet. */
const ROW = 24;

/** What happened in a run, in the journal's order; the newest is at the end. */
export function EventList(props: { events: readonly JournalEvent[]; complete: boolean }): JSX.Element {
  const { events, complete } = props;
  const [text, setText] = useState('');
  const [selected, setSelected] = useState(0);
  const found = useMemo(() => {
    const words = text.toLowerCase().split(/\s+/).filter(Boolean);
    return events.filter(event => words.every(word => `${event.type} ${event.step_id}`.toLowerCase().includes(word)));
  }, [events, text]);
  const rows = useRows(found.length, ROW);
  const chosen = found.find(event => event.seq === selected);
  if (!events.length) {
    return complete ? <Empty title="No events" /> : <Skeleton rows={8} />;
  }
  return (
    <div className="agentnb-run-body">
      <div className="agentnb-events">
        <div className="agentnb-bar-top">
          <InputGroup
            type="text"
            value={text}
            placeholder="Filter by type or step"
            aria-label="Filter of events"
            rightIcon="ui-components:search"
            onChange={event => setText(event.currentTarget.value)}
          />
          <span className="agentnb-muted agentnb-figure">
            {found.length.toLocaleString()} of {events.length.toLocaleString()}
            {complete ? '' : ', loading…'}
          </span>
        </div>
        <div
          className="agentnb-table-scroll"
          ref={rows.ref}
          role="listbox"
          aria-label="Events"
          tabIndex={0}
          onKeyDown={event => {
            const place = found.findIndex(other => other.seq === selected);
            const step = event.key === 'ArrowDown' ? 1 : event.key === 'ArrowUp' ? -1 : 0;
            const next = found[place + step];
            if (step && next) {
              event.preventDefault();
              setSelected(next.seq);
              rows.reveal(place + step);
            }
          }}
        >
          <div style={{ height: rows.first * ROW }} />
          {found.slice(rows.first, rows.last).map(event => (
            <div
              key={event.seq}
              className="agentnb-event-row"
              role="option"
              aria-selected={event.seq === selected}
              data-testid="agentnb-event-row"
              onClick={() => setSelected(event.seq === selected ? 0 : event.seq)}
            >
              <span className="agentnb-number agentnb-muted">{event.seq}</span>
              <time title={moment(String(event.data.timestamp))}>{clock(String(event.data.timestamp))}</time>
              <span>{event.type}</span>
              <span className="agentnb-muted">{event.step_id}</span>
              <span className="agentnb-run-said">{compact(event.data.output_data ?? event.data.input_data)}</span>
            </div>
          ))}
          <div style={{ height: (found.length - rows.last) * ROW }} />
        </div>
      </div>
      {chosen && (
        <aside className="agentnb-sheet" aria-label={`Event ${chosen.seq}`}>
          <header>
            <h3>{chosen.type}</h3>
            <button type="button" className="agentnb-icon-button" aria-label="Close" onClick={() => setSelected(0)}>
              ×
            </button>
          </header>
          <div className="agentnb-sheet-body agentnb-json">
            <Tree value={chosen.data} depth={0} />
          </div>
        </aside>
      )}
    </div>
  );
}
