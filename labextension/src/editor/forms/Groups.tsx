import { useState, type JSX } from 'react';

import { blank, type Schema } from '../schema';
import { isRecord } from '../text/rendering';
import type { Path } from '../text/source';
import { useForm } from './context';
import { Field } from './Field';

/** The fields of a mapping: those that are set, and the others to be added. */
export function ObjectField(props: {
  path: Path;
  properties: readonly [string, Schema][];
  required: readonly string[];
  value: unknown;
}): JSX.Element {
  const { path, properties, required, value } = props;
  const given = isRecord(value) ? value : {};
  return (
    <div className="agentnb-form-group">
      <Fields path={path} properties={properties} required={required} given={given} open={[]} />
    </div>
  );
}

/**
 * Fields of a mapping.
 *
 * @param props.open - Names of fields that are there also where they aren't set.
 */
export function Fields(props: {
  path: Path;
  properties: readonly [string, Schema][];
  required: readonly string[];
  given: Readonly<Record<string, unknown>>;
  open: readonly string[];
}): JSX.Element {
  const { path, properties, required, given, open } = props;
  const { disabled } = useForm();
  const [added, setAdded] = useState<readonly string[]>([]);
  const isFew = properties.length <= 3;
  const isShown = (name: string): boolean =>
    isFew || name in given || required.includes(name) || open.includes(name) || added.includes(name);
  const hidden = properties.filter(([name]) => !isShown(name));
  return (
    <>
      {properties
        .filter(([name]) => isShown(name))
        .map(([name, schema]) => (
          <Field
            key={name}
            name={name}
            path={[...path, name]}
            schema={schema}
            value={given[name]}
            required={required.includes(name)}
          />
        ))}
      {hidden.length > 0 && (
        <div className="agentnb-form-more">
          {hidden.map(([name]) => (
            <button
              key={name}
              type="button"
              disabled={disabled}
              data-testid={`add:${[...path, name].slice(2).join('.')}`}
              onClick={() => setAdded([...added, name])}
            >
              + {name}
            </button>
          ))}
        </div>
      )}
    </>
  );
}

/** Names with values: one a row. */
export function MapField({ path, values, value }: { path: Path; values: Schema; value: unknown }): JSX.Element {
  const { change, disabled } = useForm();
  const [name, setName] = useState('');
  const given = isRecord(value) ? value : {};
  const add = (): void => {
    const key = name.trim();
    if (key && !(key in given)) {
      change([...path, key], blank(values, {}) ?? '');
      setName('');
    }
  };
  return (
    <div className="agentnb-form-group">
      {Object.entries(given).map(([key, one]) => (
        <Field key={key} name={key} path={[...path, key]} schema={values} value={one} />
      ))}
      <form
        className="agentnb-form-row"
        onSubmit={event => {
          event.preventDefault();
          add();
        }}
      >
        <input
          type="text"
          value={name}
          disabled={disabled}
          placeholder="name"
          aria-label="Name of a new field"
          data-testid={`new:${path.slice(2).join('.')}`}
          onChange={event => setName(event.currentTarget.value)}
        />
        <button type="submit" disabled={disabled || !name.trim()}>
          Add
        </button>
      </form>
    </div>
  );
}

/** Values one below the other. */
export function ListField({ path, items, value }: { path: Path; items: Schema; value: unknown }): JSX.Element {
  const { root, change, disabled } = useForm();
  const given: unknown[] = Array.isArray(value) ? (value as unknown[]) : value === undefined ? [] : [value];
  const name = String(path.at(-1));
  return (
    <div className="agentnb-form-group">
      {given.map((one, place) => (
        <div key={place} className="agentnb-form-item">
          <Field
            name={`${name} ${String(place + 1)}`}
            path={[...path, place]}
            schema={items}
            value={one}
            required
            bare
          />
          <button
            type="button"
            className="agentnb-form-clear"
            title={`Take ${name} ${String(place + 1)} away`}
            aria-label={`Take ${name} ${String(place + 1)} away`}
            disabled={disabled}
            onClick={() => change([...path, place], undefined)}
          >
            ×
          </button>
        </div>
      ))}
      <div className="agentnb-form-more">
        <button
          type="button"
          disabled={disabled}
          data-testid={`add:${path.slice(2).join('.')}`}
          onClick={() => {
            const fresh = blank(items, root);
            change(
              Array.isArray(value) ? [...path, given.length] : path,
              Array.isArray(value) ? fresh : [...given, fresh],
            );
          }}
        >
          + {name}
        </button>
      </div>
    </div>
  );
}
