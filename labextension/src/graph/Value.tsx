import type { ReactElement } from 'react';

import type { Shown } from './types';

/** Lists and mappings that are longer than this begin folded. */
const FEW = 12;
const ROWS = 200;

/** A value: text as text, a list of flat mappings as a table, everything else as a tree. */
export function Value({ shown, none }: { shown: Shown; none: string }): ReactElement {
  if (!shown) {
    return <p className="agentnb-flow-quiet">{none}</p>;
  }
  return (
    <div className="agentnb-flow-value" data-testid="value">
      {'text' in shown ? <pre>{shown.text}</pre> : <Tree value={shown.json} top />}
    </div>
  );
}

function Tree({ value, top = false }: { value: unknown; top?: boolean }): ReactElement {
  if (typeof value === 'string') {
    return top || value.includes('\n') ? <pre>{value}</pre> : <span data-type="string">{value}</span>;
  }
  if (value === null || typeof value !== 'object') {
    return <span data-type={value === null ? 'null' : typeof value}>{String(value)}</span>;
  }
  const rows = tableOf(value);
  if (rows) {
    return <Table rows={rows} />;
  }
  const entries = Object.entries(value);
  if (!entries.length) {
    return <span data-type="null">{Array.isArray(value) ? 'empty list' : 'empty'}</span>;
  }
  return (
    <dl>
      {entries.slice(0, ROWS).map(([key, item]) => (
        <Entry key={key} name={key} value={item as unknown} />
      ))}
      {entries.length > ROWS && <dt>… {entries.length - ROWS} more</dt>}
    </dl>
  );
}

function Entry({ name, value }: { name: string; value: unknown }): ReactElement {
  const size = sizeOf(value);
  if (size === 0) {
    return (
      <div>
        <dt>{name}</dt>
        <dd>
          <Tree value={value} />
        </dd>
      </div>
    );
  }
  return (
    <details open={size <= FEW}>
      <summary>
        {name} <small>{size}</small>
      </summary>
      <Tree value={value} />
    </details>
  );
}

function sizeOf(value: unknown): number {
  return value !== null && typeof value === 'object' ? Object.keys(value).length : 0;
}

type Row = Record<string, string | number | boolean | null>;

/** The rows of a list of mappings without nested ones and with the same keys; null of anything else. */
function tableOf(value: object): Row[] | null {
  if (!Array.isArray(value) || value.length < 2) {
    return null;
  }
  const rows = value as unknown[];
  const keys = JSON.stringify(Object.keys((rows[0] as object | null) ?? {}));
  const fits = rows.every(
    row =>
      row !== null &&
      typeof row === 'object' &&
      !Array.isArray(row) &&
      JSON.stringify(Object.keys(row)) === keys &&
      Object.values(row).every(item => item === null || typeof item !== 'object'),
  );
  return fits && keys !== '[]' ? (rows as Row[]) : null;
}

function Table({ rows }: { rows: Row[] }): ReactElement {
  const names = Object.keys(rows[0] ?? {});
  return (
    <table className="agentnb-flow-plain">
      <thead>
        <tr>
          {names.map(name => (
            <th key={name}>{name}</th>
          ))}
        </tr>
      </thead>
      <tbody>
        {rows.slice(0, ROWS).map((row, place) => (
          <tr key={place}>
            {names.map(name => (
              <td key={name} data-type={typeof row[name]}>
                {String(row[name] ?? '')}
              </td>
            ))}
          </tr>
        ))}
      </tbody>
    </table>
  );
}
