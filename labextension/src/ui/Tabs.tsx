import { JSX, KeyboardEvent, useRef } from 'react';

export interface Tab {
  id: string;
  title: string;
}

/** A row of tabs, moved through with the arrow keys. */
export function Tabs(props: {
  label: string;
  tabs: readonly Tab[];
  value: string;
  onChange: (id: string) => void;
}): JSX.Element {
  const { label, tabs, value, onChange } = props;
  const list = useRef<HTMLDivElement>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0;
    const place = tabs.findIndex(tab => tab.id === value);
    const next = tabs[(place + step + tabs.length) % tabs.length];
    if (step && next) {
      event.preventDefault();
      event.stopPropagation();
      onChange(next.id);
      list.current?.querySelector<HTMLElement>(`[data-tab="${next.id}"]`)?.focus();
    }
  };
  return (
    <div className="agentnb-tabs" role="tablist" aria-label={label} ref={list} onKeyDown={onKeyDown}>
      {tabs.map(tab => (
        <button
          key={tab.id}
          type="button"
          role="tab"
          data-tab={tab.id}
          data-testid={`agentnb-tab-${tab.id}`}
          aria-selected={tab.id === value}
          tabIndex={tab.id === value ? 0 : -1}
          onClick={() => onChange(tab.id)}
        >
          {tab.title}
        </button>
      ))}
    </div>
  );
}
