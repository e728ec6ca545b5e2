import { useEffect, useMemo, useRef, useState, type JSX, type KeyboardEvent } from 'react';

import { KindIcon } from '../graph/icons';
import { matching, type Entry } from './palette';

/** The type of what is dragged from the palette. */
export const DRAG_TYPE = 'application/x-agentnb-step';

interface AddMenuProps {
  entries: readonly Entry[];
  /** Where it will come to stand: `after draft`, `between a and b`. */
  place: string;
  onTake: (entry: Entry) => void;
  onClose: () => void;
}

/** What can be added, found by typing. */
export function AddMenu({ entries, place, onTake, onClose }: AddMenuProps): JSX.Element {
  const [typed, setTyped] = useState('');
  const [active, setActive] = useState(0);
  const field = useRef<HTMLInputElement>(null);
  const found = useMemo(() => matching(entries, typed), [entries, typed]);
  useEffect(() => field.current?.focus(), []);
  const onKeyDown = (event: KeyboardEvent): void => {
    const count = found.length;
    if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      setActive(count ? (active + (event.key === 'ArrowDown' ? 1 : count - 1)) % count : 0);
    } else if (event.key === 'Enter') {
      const entry = found[active];
      if (entry) {
        onTake(entry);
      }
    } else if (event.key === 'Escape') {
      onClose();
    } else {
      event.stopPropagation();
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  let group = '';
  return (
    <div
      className="agentnb-editor-add"
      data-testid="add-menu"
      role="dialog"
      aria-label="Add a step"
      onKeyDown={onKeyDown}
      onBlur={event => {
        if (!event.currentTarget.contains(event.relatedTarget)) {
          onClose();
        }
      }}
    >
      <input
        ref={field}
        type="text"
        value={typed}
        placeholder={place ? `Add ${place} …` : 'Add a step …'}
        aria-label="Find what to add"
        data-testid="add-search"
        onChange={event => {
          setTyped(event.currentTarget.value);
          setActive(0);
        }}
      />
      <ul role="listbox" aria-label="What can be added" tabIndex={-1}>
        {found.map((entry, at) => {
          const head = entry.group === group || typed ? '' : entry.group;
          group = entry.group;
          return (
            <li
              key={entry.id}
              role="option"
              aria-selected={at === active}
              data-head={head || undefined}
              data-testid={`entry:${entry.id}`}
              ref={at === active ? reveal : undefined}
              onMouseDown={event => event.preventDefault()}
              onClick={() => onTake(entry)}
            >
              <KindIcon kind={entry.kind} />
              <span>{entry.title}</span>
              <small>{entry.detail}</small>
            </li>
          );
        })}
        {!found.length && (
          <li className="agentnb-editor-none">Nothing is called that: a tool is any Python function</li>
        )}
      </ul>
    </div>
  );
}

function reveal(node: HTMLElement | null): void {
  node?.scrollIntoView({ block: 'nearest' });
}

/** The kinds of steps, to be dragged onto the canvas. */
export function Rail({
  entries,
  disabled,
  onTake,
}: {
  entries: readonly Entry[];
  disabled: boolean;
  onTake: (entry: Entry) => void;
}): JSX.Element {
  return (
    <div className="agentnb-editor-rail" role="toolbar" aria-label="Steps to add" aria-orientation="vertical">
      {entries
        .filter(entry => entry.id.startsWith('kind:'))
        .map(entry => (
          <button
            key={entry.id}
            type="button"
            draggable={!disabled}
            disabled={disabled}
            data-testid={`rail:${entry.kind}`}
            title={`${entry.title}: ${entry.detail}. Drag it onto the canvas, a step or a line`}
            onClick={() => onTake(entry)}
            onDragStart={event => {
              event.dataTransfer.setData(DRAG_TYPE, entry.id);
              event.dataTransfer.effectAllowed = 'copy';
            }}
          >
            <KindIcon kind={entry.kind} />
            <span>{entry.title}</span>
          </button>
        ))}
    </div>
  );
}
