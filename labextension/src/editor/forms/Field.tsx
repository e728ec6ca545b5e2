import { useId, type JSX } from 'react';

import { blank, defaultText, resolved, shapeOf, variantName, variantOf, type Schema } from '../schema';
import { word } from '../model';
import { isRecord } from '../text/rendering';
import type { Path } from '../text/source';
import { AnyValue } from './AnyValue';
import { findingsAt, useForm } from './context';
import { ExpressionInput } from './ExpressionInput';
import { ListField, MapField, ObjectField } from './Groups';

export interface FieldProps {
  name: string;
  path: Path;
  schema: Schema;
  value: unknown;
  /** It can't be taken away. */
  required?: boolean;
  /** It is shown without a name: an item of a list. */
  bare?: boolean;
}

/** A field of a form, with its name as it stands in the text, what it means, and what is wrong with it. */
export function Field({ name, path, schema, value, required = false, bare = false }: FieldProps): JSX.Element {
  const { root, findings, change, disabled } = useForm();
  const whole = resolved(schema, root);
  const labelId = useId();
  const isGroup = ['object', 'list', 'map'].includes(shapeOf(whole, root).form);
  const wrong = findingsAt(findings, path, !isGroup && !isRecord(value) && !Array.isArray(value));
  const isSet = value !== undefined;
  return (
    <div
      className="agentnb-form-field"
      data-testid={`field:${path.slice(2).join('.') || name}`}
      data-set={isSet || undefined}
      role="group"
      aria-labelledby={labelId}
    >
      {!bare && (
        <div className="agentnb-form-label">
          <code id={labelId}>{name}</code>
          {isSet && !required && (
            <button
              type="button"
              className="agentnb-form-clear"
              title={`Take ${name} away`}
              aria-label={`Take ${name} away`}
              disabled={disabled}
              onClick={() => change(path, undefined)}
            >
              ×
            </button>
          )}
        </div>
      )}
      <Control name={name} path={path} schema={whole} value={value} required={required} invalid={wrong.length > 0} />
      {!bare && whole.description && (
        <small className="agentnb-form-help">{whole.description.replaceAll('``', '')}</small>
      )}
      {wrong.map(one => (
        <small key={one.message} className="agentnb-form-wrong" data-severity={one.severity} role="alert">
          {one.message}
          {one.mend && `. ${one.mend}`}
        </small>
      ))}
    </div>
  );
}

interface ControlProps extends FieldProps {
  invalid: boolean;
}

function Control({ name, path, schema, value, required = false, invalid }: ControlProps): JSX.Element {
  const { root, change, disabled, choices } = useForm();
  const shape = shapeOf(schema, root);
  const testId = `input:${path.slice(2).join('.') || name}`;
  const label = name;
  switch (shape.form) {
    case 'choice':
      return (
        <select
          value={shape.values.findIndex(one => one === value)}
          disabled={disabled}
          aria-label={label}
          data-testid={testId}
          onChange={event => change(path, shape.values[Number(event.currentTarget.value)])}
        >
          <option value={-1}>{defaultText(schema) ? `${defaultText(schema)} (default)` : '…'}</option>
          {shape.values.map((one, place) => (
            <option key={String(one)} value={place}>
              {String(one)}
            </option>
          ))}
        </select>
      );
    case 'switch':
      return (
        <select
          value={value === true ? 'true' : value === false ? 'false' : ''}
          disabled={disabled}
          aria-label={label}
          data-testid={testId}
          onChange={event => {
            const given = event.currentTarget.value;
            change(path, given === '' ? undefined : given === 'true');
          }}
        >
          <option value="">{defaultText(schema) ? `${defaultText(schema)} (default)` : '…'}</option>
          <option value="true">true</option>
          <option value="false">false</option>
        </select>
      );
    case 'number':
      return (
        <input
          type="number"
          value={typeof value === 'number' ? value : ''}
          min={schema.minimum}
          max={schema.maximum}
          step={shape.whole ? 1 : 'any'}
          disabled={disabled}
          placeholder={defaultText(schema)}
          aria-label={label}
          aria-invalid={invalid || undefined}
          data-testid={testId}
          onChange={event => {
            const given = event.currentTarget.value;
            change(path, given === '' ? undefined : Number(given));
          }}
        />
      );
    case 'text': {
      const named = choices[path.length > 3 && typeof path.at(-1) === 'number' ? String(path.at(-2)) : name];
      return (
        <ExpressionInput
          value={value === undefined || value === null ? '' : textOf(value)}
          label={label}
          bare={name === 'when'}
          {...(named && { choices: named })}
          placeholder={defaultText(schema)}
          invalid={invalid}
          testId={testId}
          onChange={text => change(path, text === '' && !required ? undefined : asBefore(text, value))}
        />
      );
    }
    case 'object':
      return <ObjectField path={path} properties={shape.properties} required={shape.required} value={value} />;
    case 'map':
      return <MapField path={path} values={shape.values} value={value} />;
    case 'list':
      return <ListField path={path} items={shape.items} value={value} />;
    case 'variants': {
      const chosen = value === undefined ? 0 : variantOf(value, shape.variants, root);
      const variant = shape.variants[chosen] ?? {};
      return (
        <>
          <select
            className="agentnb-form-variant"
            value={chosen}
            disabled={disabled}
            aria-label={`${label}: kind of value`}
            data-testid={`variant:${path.slice(2).join('.')}`}
            onChange={event => change(path, blank(shape.variants[Number(event.currentTarget.value)] ?? {}, root))}
          >
            {shape.variants.map((one, place) => (
              <option key={variantName(one, root)} value={place}>
                {variantName(one, root)}
              </option>
            ))}
          </select>
          <Control
            name={name}
            path={path}
            schema={{ ...resolved(variant, root), default: schema.default }}
            value={value}
            required={required}
            invalid={invalid}
          />
        </>
      );
    }
    case 'any':
      return <AnyValue name={name} path={path} value={value} invalid={invalid} testId={testId} />;
  }
}

function textOf(value: unknown): string {
  return typeof value === 'object' ? JSON.stringify(value) : word(value);
}

/** A number that stood there as one stays one: `timeout: 30`. */
function asBefore(text: string, value: unknown): unknown {
  return typeof value === 'number' && /^\d+(\.\d+)?$/.test(text) ? Number(text) : text;
}
