import { word } from './model';
import { isRecord } from './text/rendering';

/** The parts of a JSON Schema that make a form. */
export interface Schema {
  type?: string | string[];
  title?: string;
  description?: string;
  default?: unknown;
  enum?: unknown[];
  const?: unknown;
  pattern?: string;
  minimum?: number;
  maximum?: number;
  maxLength?: number;
  properties?: Record<string, Schema>;
  required?: string[];
  additionalProperties?: boolean | Schema;
  items?: Schema;
  anyOf?: Schema[];
  oneOf?: Schema[];
  allOf?: Schema[];
  $ref?: string;
  $defs?: Record<string, Schema>;
}

/** What a field looks like. */
export type Shape =
  | { form: 'choice'; values: unknown[] }
  | { form: 'switch' }
  | { form: 'number'; whole: boolean }
  | { form: 'text' }
  | { form: 'object'; properties: [string, Schema][]; required: string[] }
  | { form: 'map'; values: Schema }
  | { form: 'list'; items: Schema }
  | { form: 'variants'; variants: Schema[] }
  | { form: 'any' };

/** The schema itself: without $ref to its own definitions, without the null of what may be left out. */
export function resolved(schema: Schema | undefined, root: Schema, depth = 0): Schema {
  if (!schema || depth > 10) {
    return {};
  }
  if (schema.$ref?.startsWith('#/$defs/')) {
    const target = root.$defs?.[schema.$ref.slice('#/$defs/'.length)];
    return { ...resolved(target, root, depth + 1), ...without(schema, '$ref') };
  }
  const alternatives = schema.anyOf ?? schema.oneOf;
  const real = alternatives?.filter(one => one.type !== 'null');
  if (real?.length === 1 || schema.allOf?.length === 1) {
    return {
      ...resolved(real?.[0] ?? schema.allOf?.[0], root, depth + 1),
      ...without(schema, 'anyOf', 'oneOf', 'allOf'),
    };
  }
  return real && alternatives && real.length < alternatives.length ? { ...schema, anyOf: real } : schema;
}

function without(schema: Schema, ...keys: (keyof Schema)[]): Schema {
  return Object.fromEntries(Object.entries(schema).filter(([key]) => !keys.includes(key as keyof Schema)));
}

/** What a resolved schema looks like as a field. */
export function shapeOf(schema: Schema, root: Schema): Shape {
  if (schema.enum) {
    return { form: 'choice', values: schema.enum };
  }
  if (schema.const !== undefined) {
    return { form: 'choice', values: [schema.const] };
  }
  const alternatives = schema.anyOf ?? schema.oneOf;
  if (alternatives) {
    return unionOf(alternatives, root);
  }
  switch (schema.type) {
    case 'boolean':
      return { form: 'switch' };
    case 'integer':
    case 'number':
      return { form: 'number', whole: schema.type === 'integer' };
    case 'string':
      return { form: 'text' };
    case 'array':
      return { form: 'list', items: schema.items ?? {} };
    case 'object':
      if (schema.properties) {
        return { form: 'object', properties: Object.entries(schema.properties), required: schema.required ?? [] };
      }
      return isRecord(schema.additionalProperties)
        ? { form: 'map', values: schema.additionalProperties }
        : { form: 'any' };
    default:
      return { form: 'any' };
  }
}

/** Texts and numbers of one meaning are one text field (`30s`, `30`); others are there to choose from. */
function unionOf(alternatives: readonly Schema[], root: Schema): Shape {
  const variants = alternatives.flatMap(one => {
    const found = resolved(one, root);
    return found.anyOf ?? [found];
  });
  const isPlain = (one: Schema): boolean =>
    one.enum === undefined && ['string', 'number', 'integer'].includes(String(resolved(one, root).type));
  const [plain, others] = [variants.filter(isPlain), variants.filter(one => !isPlain(one))];
  const first = plain.find(one => one.type === 'string') ?? plain[0];
  const all = [...(first ? [first] : []), ...others];
  const only = all[0];
  return all.length === 1 && only ? shapeOf(resolved(only, root), root) : { form: 'variants', variants: all };
}

/** What a variant is called. */
export function variantName(schema: Schema, root: Schema): string {
  const shape = shapeOf(resolved(schema, root), root);
  switch (shape.form) {
    case 'object':
      return shape.properties
        .map(([name]) => name)
        .slice(0, 3)
        .join(', ');
    case 'choice':
      return shape.values.length > 2 ? 'one of' : shape.values.map(String).join(' or ');
    case 'switch':
      return 'yes or no';
    case 'list':
      return 'list';
    case 'text':
      return 'text';
    case 'number':
      return 'number';
    default:
      return 'value';
  }
}

/** The variant that a value is of; the first one for none. */
export function variantOf(value: unknown, variants: readonly Schema[], root: Schema): number {
  const found = variants.findIndex(one => fits(value, resolved(one, root), root));
  return Math.max(found, 0);
}

function fits(value: unknown, schema: Schema, root: Schema): boolean {
  const shape = shapeOf(schema, root);
  switch (shape.form) {
    case 'choice':
      return shape.values.includes(value);
    case 'switch':
      return typeof value === 'boolean';
    case 'number':
      return typeof value === 'number';
    case 'text':
      return typeof value === 'string' || typeof value === 'number';
    case 'list':
      return Array.isArray(value);
    case 'object':
      return (
        isRecord(value) &&
        Object.keys(value).every(key => shape.properties.some(([name]) => name === key)) &&
        shape.required.every(key => key in value)
      );
    case 'map':
      return isRecord(value);
    case 'variants':
      return shape.variants.some(one => fits(value, resolved(one, root), root));
    case 'any':
      return true;
  }
}

/** A value to begin with. */
export function blank(schema: Schema, root: Schema): unknown {
  const shape = shapeOf(resolved(schema, root), root);
  switch (shape.form) {
    case 'choice':
      return shape.values[0];
    case 'switch':
      return true;
    case 'number':
      return schema.minimum ?? 1;
    case 'text':
    case 'any':
      return '';
    case 'list':
      return [];
    case 'map':
      return {};
    case 'variants':
      return shape.variants[0] ? blank(shape.variants[0], root) : '';
    case 'object':
      return Object.fromEntries(
        shape.properties
          .filter(([name]) => shape.required.includes(name))
          .map(([name, one]) => [name, blank(one, root)]),
      );
  }
}

/** The default of a field, as far as it is worth saying. */
export function defaultText(schema: Schema): string {
  const value = schema.default;
  return word(value);
}
