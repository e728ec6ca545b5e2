import { useState, type JSX } from 'react';
import { parse, stringify } from 'yaml';

import { word } from '../model';
import { isRecord } from '../text/rendering';
import { same } from '../text/splicing';
import type { Path } from '../text/source';
import { useForm } from './context';
import { ExpressionInput, useOwnText } from './ExpressionInput';
import { MapField } from './Groups';

export interface AnyValueProps {
  name: string;
  path: Path;
  value: unknown;
  invalid: boolean;
  testId: string;
}

const FORMS = ['text', 'fields', 'YAML'] as const;
type Form = (typeof FORMS)[number];

/** A value of any shape: as text with expressions, as fields with names, or as YAML. */
export function AnyValue({ name, path, value, invalid, testId }: AnyValueProps): JSX.Element {
  const { change, disabled } = useForm();
  const [asked, setAsked] = useState<Form | null>(null);
  const fitting = formOf(value);
  const form = asked === 'YAML' || fitting === 'YAML' ? 'YAML' : (asked ?? fitting);
  const choose = (next: Form): void => {
    setAsked(next === 'YAML' ? next : null);
    if (next === 'fields' && !isRecord(value)) {
      change(path, { [name === 'input' ? 'text' : 'value']: value ?? '' });
    } else if (next === 'text' && typeof value !== 'string') {
      change(path, isRecord(value) ? word(Object.values(value)[0]) : '');
    }
  };
  return (
    <>
      <select
        className="agentnb-form-variant"
        value={form}
        disabled={disabled}
        aria-label={`${name}: kind of value`}
        data-testid={`variant:${path.slice(2).join('.')}`}
        onChange={event => choose(event.currentTarget.value as Form)}
      >
        {FORMS.map(one => (
          <option key={one}>{one}</option>
        ))}
      </select>
      {form === 'text' && (
        <ExpressionInput
          value={word(value)}
          label={name}
          bare={false}
          invalid={invalid}
          testId={testId}
          onChange={text => change(path, text === '' && path.length < 4 ? undefined : typed(text, value))}
        />
      )}
      {form === 'fields' && <MapField path={path} values={{}} value={value} />}
      {form === 'YAML' && <YamlInput name={name} path={path} value={value} invalid={invalid} testId={testId} />}
    </>
  );
}

/** A value as YAML: it becomes the value as soon as it can be read. */
function YamlInput({ name, path, value, invalid, testId }: AnyValueProps): JSX.Element {
  const { change, disabled } = useForm();
  const written = value === undefined ? '' : stringify(value, { lineWidth: 0 }).trimEnd();
  const [own, setOwn] = useOwnText(written);
  const problem = problemOf(own);
  const shown = !problem && same(parse(own) ?? undefined, value) ? own : problem ? own : written;
  return (
    <>
      <textarea
        className="agentnb-form-yaml"
        rows={Math.min(Math.max(own.split('\n').length, 2), 16)}
        value={shown}
        disabled={disabled}
        spellCheck={false}
        aria-label={`${name} as YAML`}
        aria-invalid={invalid || problem !== '' || undefined}
        data-testid={testId}
        onChange={event => {
          const text = event.currentTarget.value;
          setOwn(text);
          if (!problemOf(text)) {
            change(path, text.trim() === '' ? undefined : parse(text));
          }
        }}
      />
      {problem && <small className="agentnb-form-wrong">{problem}</small>}
    </>
  );
}

function problemOf(text: string): string {
  try {
    parse(text, { logLevel: 'silent' });
    return '';
  } catch (reason) {
    return reason instanceof Error ? (reason.message.split('\n')[0] ?? '') : String(reason);
  }
}

function formOf(value: unknown): Form {
  if (isRecord(value)) {
    return Object.values(value).every(one => typeof one !== 'object' || one === null) ? 'fields' : 'YAML';
  }
  return Array.isArray(value) ? 'YAML' : 'text';
}

/** What was typed, as a number or a truth where one stood there. */
function typed(text: string, before: unknown): unknown {
  if (typeof before === 'number' && /^-?\d+(\.\d+)?$/.test(text)) {
    return Number(text);
  }
  return typeof before === 'boolean' && (text === 'true' || text === 'false') ? text === 'true' : text;
}
