import { useEffect, useId, useRef, useState, type JSX, type KeyboardEvent } from 'react';

import { suggest, type Suggestions } from '../completion';
import { useForm } from './context';

export interface ExpressionInputProps {
  value: string;
  label: string;
  /** Whether the whole text is an expression; else expressions stand in `${…}`. */
  bare: boolean;
  /** Names that it may be, whatever is typed. */
  choices?: readonly string[];
  placeholder?: string;
  invalid: boolean;
  testId: string;
  onChange: (value: string) => void;
}

/** A text with expressions in it, and what can stand at the cursor. It grows with its lines. */
export function ExpressionInput(props: ExpressionInputProps): JSX.Element {
  const { value, label, bare, choices, placeholder, invalid, testId, onChange } = props;
  const { model, id, disabled } = useForm();
  const [text, setText] = useOwnText(value);
  const [found, setFound] = useState<Suggestions | null>(null);
  const [active, setActive] = useState(0);
  const field = useRef<HTMLTextAreaElement>(null);
  const listId = useId();

  const look = (next: string, caret: number): void => {
    const named = choices?.filter(one => one !== next && one.toLowerCase().includes(next.toLowerCase()));
    setActive(0);
    setFound(
      named
        ? named.length
          ? { from: 0, options: named.slice(0, 12).map(one => ({ label: one, detail: '' })) }
          : null
        : suggest(next, caret, bare, model, id),
    );
  };
  const change = (next: string, caret: number): void => {
    setText(next);
    onChange(next);
    look(next, caret);
  };
  const take = (place: number): void => {
    const option = found?.options[place];
    const input = field.current;
    if (!option || !found || !input) {
      return;
    }
    const end = choices ? text.length : input.selectionStart;
    const next = text.slice(0, found.from) + option.label + text.slice(end);
    const caret = found.from + option.label.length;
    setText(next);
    onChange(next);
    setFound(null);
    window.requestAnimationFrame(() => input.setSelectionRange(caret, caret));
  };
  const onKeyDown = (event: KeyboardEvent): void => {
    const count = found?.options.length ?? 0;
    if (event.key === ' ' && event.ctrlKey) {
      look(text, field.current?.selectionStart ?? text.length);
    } else if (!count) {
      return;
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      setActive((active + (event.key === 'ArrowDown' ? 1 : count - 1)) % count);
    } else if (event.key === 'Enter' || event.key === 'Tab') {
      take(active);
    } else if (event.key === 'Escape') {
      setFound(null);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };
  const lines = text.split('\n').reduce((sum, line) => sum + Math.max(1, Math.ceil(line.length / 38)), 0);
  return (
    <div className="agentnb-form-expression">
      <textarea
        ref={field}
        rows={Math.min(lines, 12)}
        value={text}
        disabled={disabled}
        spellCheck={false}
        placeholder={placeholder}
        aria-label={label}
        aria-invalid={invalid || undefined}
        role="combobox"
        aria-expanded={found !== null}
        aria-controls={listId}
        aria-activedescendant={found ? `${listId}-${String(active)}` : undefined}
        aria-autocomplete="list"
        data-testid={testId}
        onChange={event => change(event.currentTarget.value, event.currentTarget.selectionStart)}
        onFocus={() => choices && look('', 0)}
        onBlur={() => setFound(null)}
        onKeyDown={onKeyDown}
      />
      {found && (
        <ul className="agentnb-form-options" id={listId} role="listbox" data-testid="suggestions">
          {found.options.map((option, place) => (
            <li
              key={option.label}
              id={`${listId}-${String(place)}`}
              role="option"
              aria-selected={place === active}
              ref={place === active ? reveal : undefined}
              onMouseDown={event => {
                event.preventDefault();
                take(place);
              }}
            >
              <span>{option.label}</span>
              <small>{option.detail}</small>
            </li>
          ))}
        </ul>
      )}
    </div>
  );
}

function reveal(node: HTMLElement | null): void {
  node?.scrollIntoView({ block: 'nearest' });
}

/** What is being typed: it follows the value from outside, but not one's own that comes back. */
export function useOwnText(value: string): [string, (text: string) => void] {
  const [text, setText] = useState(value);
  const last = useRef(value);
  useEffect(() => {
    if (value !== last.current) {
      last.current = value;
      setText(value);
    }
  }, [value]);
  return [
    text,
    (next: string) => {
      last.current = next;
      setText(next);
    },
  ];
}
