import { element } from './dom';
import type { JsonSchema } from './types';

/** The parts of a JSON Schema that make a form; what else it says is checked where the answer goes. */
interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  format?: string;
  examples?: unknown[];
  minimum?: number;
  maximum?: number;
  multipleOf?: number;
  maxLength?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  items?: Schema;
  anyOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
}

/** A control and what it holds; undefined where nothing was given. */
interface Control {
  node: HTMLElement;
  read: () => unknown;
}

interface Field {
  node: HTMLElement | undefined;
  error: HTMLElement;
}

type Attributes = Record<string, string | undefined>;

/** A form made from a JSON Schema. `fields` are by their place: `address.city`; empty for an answer that is one value. */
export interface Form {
  nodes: HTMLElement[];
  read: () => unknown;
  fields: Map<string, Field>;
}

let forms = 0;

/** A form, with labels, descriptions and places for errors. */
export function formOf(given: JsonSchema): Form {
  const schema = given as Schema;
  const made = { number: ++forms, fields: new Map<string, Field>() };
  const whole = resolved(schema, schema);
  if (whole.properties) {
    return { fields: made.fields, ...group(whole, schema, [], made) };
  }
  const only = field('Answer', whole, schema, [], true, made);
  return { fields: made.fields, nodes: [only.node], read: only.read };
}

/** Shows errors at their fields, and goes to the first one. */
export function markErrors(form: Form, errors: Readonly<Record<string, string>>): void {
  let first: HTMLElement | undefined;
  for (const [path, { node, error }] of form.fields) {
    const said = Object.entries(errors).find(
      ([place]) => place === path || (place.startsWith(`${path}.`) && !form.fields.has(place)),
    );
    error.textContent = said ? said[1] : '';
    if (said) {
      node?.setAttribute('aria-invalid', 'true');
      first ??= node;
    } else {
      node?.removeAttribute('aria-invalid');
    }
  }
  first?.focus();
}

/** The schema itself: without $ref to its own definitions, without the null of an optional field. */
function resolved(schema: Schema | undefined, root: Schema, depth = 0): Schema {
  if (depth > 8 || typeof schema !== 'object' || schema === null) {
    return {};
  }
  if (schema.$ref?.startsWith('#/')) {
    const parts = schema.$ref.slice(2).split('/');
    const target = parts.reduce<unknown>((node, part) => (node as Record<string, unknown> | undefined)?.[part], root);
    return { ...resolved(target as Schema | undefined, root, depth + 1), ...schema, $ref: undefined };
  }
  if (schema.allOf?.length === 1) {
    return { ...resolved(schema.allOf[0], root, depth + 1), ...schema, allOf: undefined };
  }
  const real = schema.anyOf?.filter(part => part.type !== 'null');
  if (real?.length === 1) {
    return { ...resolved(real[0], root, depth + 1), ...schema, anyOf: undefined };
  }
  return Array.isArray(schema.type) ? { ...schema, type: schema.type.find(name => name !== 'null') } : schema;
}

const INPUTS: Record<string, string> = {
  date: 'date',
  time: 'time',
  'date-time': 'datetime-local',
  email: 'email',
  uri: 'url',
  password: 'password',
  color: 'color',
};

function isLong(schema: Schema): boolean {
  return schema.format === 'textarea' || schema.format === 'multiline' || (schema.maxLength ?? 0) > 200;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

function control(schema: Schema, root: Schema, attributes: Attributes, label: string): Control {
  if (schema.enum) {
    return choice(schema, schema.enum, attributes);
  }
  if (schema.const !== undefined) {
    return { node: element('output', attributes, text(schema.const)), read: () => schema.const };
  }
  switch (schema.type) {
    case 'boolean': {
      const node = element('input', { ...attributes, type: 'checkbox' });
      node.checked = schema.default === true;
      return { node, read: () => node.checked };
    }
    case 'integer':
    case 'number':
      return number(schema, attributes);
    case 'array':
      return list(resolved(schema.items ?? {}, root), schema.default, attributes, label);
    case 'string':
      return line(schema, attributes);
    default:
      return json(schema.default, attributes);
  }
}

function number(schema: Schema, attributes: Attributes): Control {
  const step = schema.multipleOf ?? (schema.type === 'integer' ? 1 : 'any');
  const node = element('input', { ...attributes, type: 'number', step, min: schema.minimum, max: schema.maximum });
  if (schema.default !== undefined) {
    node.value = text(schema.default);
  }
  return { node, read: () => (node.value === '' ? (node.validity.badInput ? '?' : undefined) : Number(node.value)) };
}

function line(schema: Schema, attributes: Attributes): Control {
  const example = schema.examples?.[0];
  const node = isLong(schema)
    ? element('textarea', { ...attributes, rows: '4' })
    : element('input', {
        ...attributes,
        type: INPUTS[schema.format ?? ''] ?? 'text',
        placeholder: example === undefined ? undefined : text(example),
      });
  if (schema.default !== undefined) {
    node.value = text(schema.default);
  }
  return { node, read: () => (node.value === '' ? undefined : node.value) };
}

function choice(schema: Schema, values: unknown[], attributes: Attributes): Control {
  const node = element('select', attributes, element('option', { value: '' }, 'choose …'));
  values.forEach((value, place) => node.append(element('option', { value: String(place) }, text(value))));
  const place = values.findIndex(value => JSON.stringify(value) === JSON.stringify(schema.default));
  if (place >= 0) {
    node.value = String(place);
  }
  return { node, read: () => (node.value === '' ? undefined : values[Number(node.value)]) };
}

function list(items: Schema, given: unknown, attributes: Attributes, label: string): Control {
  const values = Array.isArray(given) ? (given as unknown[]) : [];
  if (items.enum) {
    const boxes = items.enum.map(value => {
      const box = element('input', { type: 'checkbox' });
      box.checked = values.includes(value);
      return { box, value, row: element('label', { class: 'agentnb-question-choice' }, box, text(value)) };
    });
    const group = { ...attributes, role: 'group', 'aria-label': label, tabindex: '-1' };
    return {
      node: element('div', group, ...boxes.map(entry => entry.row)),
      read: () => boxes.filter(entry => entry.box.checked).map(entry => entry.value),
    };
  }
  if (!['string', 'number', 'integer'].includes(String(items.type ?? 'string'))) {
    return json(given, attributes);
  }
  const node = element('textarea', { ...attributes, rows: '3', placeholder: 'one a line' });
  node.value = values.map(text).join('\n');
  const isNumber = items.type === 'number' || items.type === 'integer';
  const value = (line: string): unknown => (isNumber && !Number.isNaN(Number(line)) ? Number(line) : line);
  const lines = (): string[] => node.value.split('\n').map(line => line.trim());
  return { node, read: () => (node.value.trim() === '' ? undefined : lines().filter(Boolean).map(value)) };
}

function json(given: unknown, attributes: Attributes): Control {
  const node = element('textarea', { ...attributes, rows: '4', spellcheck: 'false', placeholder: 'JSON' });
  if (given !== undefined) {
    node.value = JSON.stringify(given, null, 2);
  }
  const read = (): unknown => {
    if (node.value.trim() === '') {
      return undefined;
    }
    try {
      return JSON.parse(node.value) as unknown;
    } catch {
      return node.value;
    }
  };
  return { node, read };
}

interface Made {
  number: number;
  fields: Map<string, Field>;
}

/** A field with its label, its description and the place of its error. */
function field(name: string, schema: Schema, root: Schema, path: string[], required: boolean, made: Made): Control {
  const id = `agentnb-question-${String(made.number)}-${path.join('-') || 'answer'}`;
  const label = schema.title ?? name;
  const error = element('div', { id: `${id}-error`, class: 'agentnb-question-error', role: 'alert' });
  const about =
    schema.description && element('div', { id: `${id}-about`, class: 'agentnb-question-about' }, schema.description);
  const described = [about && `${id}-about`, `${id}-error`].filter(Boolean).join(' ');
  const attributes = { id, 'aria-describedby': described, 'aria-required': required ? 'true' : undefined };
  const { node, read } = control(schema, root, attributes, label);
  const mark = required && element('span', { class: 'agentnb-question-required', 'aria-hidden': 'true' }, '*');
  const caption = element('label', { for: id }, label, mark);
  made.fields.set(path.join('.'), { node, error });
  const box = schema.type === 'boolean' && !schema.enum;
  const rows = box
    ? [element('div', { class: 'agentnb-question-choice' }, node, caption), about, error]
    : [caption, about, node, error];
  return { node: element('div', { class: 'agentnb-question-field' }, ...rows), read };
}

/** The fields of an object; an object in it is a group of its own, what is deeper is JSON. */
function group(
  schema: Schema,
  root: Schema,
  path: string[],
  made: Made,
): { nodes: HTMLElement[]; read: () => Record<string, unknown> } {
  const required = schema.required ?? [];
  const parts = Object.entries(schema.properties ?? {}).map(([name, raw]) => {
    const part = resolved(raw, root);
    const place = [...path, name];
    if (!part.properties || path.length >= 2) {
      return { name, ...field(name, part, root, place, required.includes(name), made) };
    }
    const inner = group(part, root, place, made);
    const error = element('div', { class: 'agentnb-question-error', role: 'alert' });
    made.fields.set(place.join('.'), { node: inner.nodes[0], error });
    const about = part.description && element('div', { class: 'agentnb-question-about' }, part.description);
    const legend = element('legend', {}, part.title ?? name);
    const read = (): unknown => {
      const value = inner.read();
      return Object.keys(value).length || required.includes(name) ? value : undefined;
    };
    return { name, node: element('fieldset', {}, legend, about, ...inner.nodes, error), read };
  });
  const read = (): Record<string, unknown> =>
    Object.fromEntries(
      parts.map((part): [string, unknown] => [part.name, part.read()]).filter(([, value]) => value !== undefined),
    );
  return { nodes: parts.map(part => part.node), read };
}
