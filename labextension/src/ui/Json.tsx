import { JSX, useState } from 'react';

import { copyText } from '../outputs';
import { readable } from '../format';

const DEEPEST = 20;
const MOST = 100;
const LONGEST = 20_000;

/** A value with its label and a copy button. */
export function Value({ label, value }: { label: string; value: unknown }): JSX.Element | null {
  if (value === null || value === undefined || value === '') {
    return null;
  }
  return (
    <section className="agentnb-value-block">
      <header>
        <h4>{label}</h4>
        <button
          className="agentnb-action"
          type="button"
          onClick={event => void copyText(readable(value), event.currentTarget)}
        >
          Copy
        </button>
      </header>
      <div className="agentnb-json">
        <Tree value={value} depth={0} />
      </div>
    </section>
  );
}

/** JSON as a tree; text as text, tables as tables, images as images. */
export function Tree({ value, depth }: { value: unknown; depth: number }): JSX.Element {
  if (depth > DEEPEST) {
    return <>{JSON.stringify(value)}</>;
  }
  if (typeof value === 'string') {
    return <Text text={value} depth={depth} />;
  }
  if (Array.isArray(value)) {
    return <List items={value as unknown[]} depth={depth} />;
  }
  if (value !== null && typeof value === 'object') {
    return <Entries value={value as Record<string, unknown>} depth={depth} />;
  }
  const type = value === null ? 'null' : typeof value;
  return (
    <span className="agentnb-value" data-type={type}>
      {String(value)}
    </span>
  );
}

function Entries({ value, depth }: { value: Record<string, unknown>; depth: number }): JSX.Element {
  const entries = Object.entries(value);
  const [all, setAll] = useState(false);
  const shown = all ? entries : entries.slice(0, MOST);
  return entries.length ? (
    <div>
      {shown.map(([key, item]) =>
        isNested(item) ? (
          <details key={key} open={depth < 2}>
            <summary>
              <span className="agentnb-key">{key}</span>
              <span className="agentnb-muted"> {sizeOf(item)}</span>
            </summary>
            <Tree value={item} depth={depth + 1} />
          </details>
        ) : (
          <div key={key}>
            <span className="agentnb-key">{key}</span>: <Tree value={item} depth={depth + 1} />
          </div>
        ),
      )}
      <More shown={shown.length} of={entries.length} onMore={() => setAll(true)} />
    </div>
  ) : (
    <>{'{}'}</>
  );
}

function List({ items, depth }: { items: unknown[]; depth: number }): JSX.Element {
  const [all, setAll] = useState(false);
  const shown = all ? items : items.slice(0, MOST);
  const columns = columnsOf(items);
  if (!items.length) {
    return <>[]</>;
  }
  return (
    <div>
      {columns ? (
        <table className="agentnb-table">
          <thead>
            <tr>
              {columns.map(name => (
                <th key={name}>{name}</th>
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, place) => (
              <tr key={place}>
                {columns.map(name => {
                  const cell = (row as Record<string, unknown>)[name];
                  return (
                    <td key={name} data-type={typeof cell}>
                      <Tree value={cell} depth={depth + 1} />
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      ) : (
        shown.map((item, place) => (
          <div key={place}>
            – <Tree value={item} depth={depth + 1} />
          </div>
        ))
      )}
      <More shown={shown.length} of={items.length} onMore={() => setAll(true)} />
    </div>
  );
}

function Text({ text, depth }: { text: string; depth: number }): JSX.Element {
  const [all, setAll] = useState(false);
  if (/^data:image\/(png|jpeg|gif|webp);base64,/.test(text)) {
    return <img className="agentnb-image" src={text} alt="An image that was put out" />;
  }
  const parsed = parsedJson(text);
  if (parsed !== null && depth < DEEPEST) {
    return <Tree value={parsed} depth={depth + 1} />;
  }
  const shown = all ? text : text.slice(0, LONGEST);
  const rest = text.length - shown.length;
  return (
    <>
      {shown.includes('\n') ? (
        <pre className="agentnb-value" data-type="string">
          {shown}
        </pre>
      ) : (
        <span className="agentnb-value" data-type="string">
          {shown}
        </span>
      )}
      {rest > 0 && (
        <button className="agentnb-action" type="button" onClick={() => setAll(true)}>
          Show {rest.toLocaleString()} more characters
        </button>
      )}
    </>
  );
}

function More({ shown, of, onMore }: { shown: number; of: number; onMore: () => void }): JSX.Element | null {
  return shown < of ? (
    <button className="agentnb-action" type="button" onClick={onMore}>
      Show {(of - shown).toLocaleString()} more
    </button>
  ) : null;
}

function isNested(value: unknown): boolean {
  return value !== null && typeof value === 'object' && Object.keys(value).length > 0;
}

function sizeOf(value: unknown): string {
  const size = Object.keys(value as object).length;
  return Array.isArray(value) ? `[${size}]` : `{${size}}`;
}

/** The columns of rows that all have the same keys, or null. */
function columnsOf(items: unknown[]): string[] | null {
  const first = items[0];
  if (first === null || typeof first !== 'object' || Array.isArray(first)) {
    return null;
  }
  const names = Object.keys(first);
  const key = names.join('\0');
  const alike = items.every(
    item => item !== null && typeof item === 'object' && !Array.isArray(item) && Object.keys(item).join('\0') === key,
  );
  return alike && names.length ? names : null;
}

function parsedJson(text: string): unknown {
  if (!/^[{[]/.test(text) || text.length > LONGEST) {
    return null;
  }
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
