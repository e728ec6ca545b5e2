import { expressionsOf } from './expressions';
import { waitsFor, type Item, type Model } from './model';
import { isRecord } from './text/rendering';

/** Something that can stand at the cursor. */
export interface Suggestion {
  label: string;
  /** What it is, in a word or two. */
  detail: string;
}

export interface Suggestions {
  /** From here on the text is replaced. */
  from: number;
  options: Suggestion[];
}

const PATH = /((?:[A-Za-z_][A-Za-z0-9_]*\s*\.\s*)*)([A-Za-z_][A-Za-z0-9_]*)?$/;

const FUNCTIONS: readonly Suggestion[] = [
  { label: 'has(', detail: 'whether a field is there' },
  { label: 'size(', detail: 'length of a text or a list' },
  { label: 'string(', detail: 'as text' },
  { label: 'int(', detail: 'as a whole number' },
  { label: 'double(', detail: 'as a number' },
];

/**
 * What can stand at the cursor of an expression.
 *
 * @param text - The text of the field.
 * @param caret - Where the cursor is.
 * @param bare - Whether the whole text is an expression, as that of `when` is.
 * @param id - The step or state that the text belongs to; empty for the outputs.
 * @returns Nothing where the cursor is in no expression, or nothing fits.
 */
export function suggest(text: string, caret: number, bare: boolean, model: Model, id: string): Suggestions | null {
  const span = bare ? { from: 0 } : expressionsOf(text).find(one => one.from <= caret && caret <= one.to);
  if (!span) {
    return null;
  }
  const inside = text.slice(span.from, caret);
  if (isInString(inside)) {
    return null;
  }
  const [, path = '', word = ''] = PATH.exec(inside) ?? [];
  if (/[\w)\]"']$/.test(inside.slice(0, inside.length - path.length - word.length)) && path + word) {
    return null;
  }
  const parts = path
    .split('.')
    .map(part => part.trim())
    .filter(Boolean);
  const options = optionsOf(parts, model, id).filter(
    one => one.label.toLowerCase().startsWith(word.toLowerCase()) && one.label !== word,
  );
  return options.length ? { from: caret - word.length, options } : null;
}

function optionsOf(parts: readonly string[], model: Model, id: string): Suggestion[] {
  const [root, name, field, ...rest] = parts;
  const item = model.items.get(id);
  if (root === undefined) {
    return [...rootsOf(model, item), ...FUNCTIONS];
  }
  if (root === 'inputs' && name === undefined) {
    return model.inputs.map(one => ({ label: one, detail: 'input' }));
  }
  if (root === 'env' && name === undefined) {
    return model.env.map(one => ({ label: one, detail: 'environment' }));
  }
  if (root === 'run' && name === undefined) {
    return words('id', 'the run').concat(words('name', 'the workflow'), words('started_at', 'when it began'));
  }
  if (root !== 'steps') {
    return [];
  }
  if (name === undefined) {
    return [...model.items.values()]
      .filter(one => one.id !== id || model.kind === 'state_machine')
      .filter(one => model.kind === 'state_machine' || !waitsFor(model, one.id, id))
      .map(one => ({ label: one.id, detail: one.kind ?? 'state' }));
  }
  const step = model.items.get(name);
  if (!step) {
    return [];
  }
  if (field === undefined) {
    return [...words('output', 'what it gave'), ...words('status', 'completed, failed, skipped')];
  }
  return field === 'output' ? fieldsOf(step, model, rest) : [];
}

function rootsOf(model: Model, item: Item | undefined): Suggestion[] {
  return [
    ...words('inputs', 'what the workflow is given'),
    ...words('steps', 'what steps have given'),
    ...(item?.value.for_each === undefined ? [] : [...words('item', 'of the list'), ...words('index', 'from 0')]),
    ...(model.kind === 'state_machine'
      ? [...words('attempts', 'how often the state was entered'), ...words('event', 'what led here')]
      : []),
    ...words('run', 'this run'),
    ...(model.env.length ? words('env', 'environment') : []),
  ];
}

/** The fields of a step's output, as far as its kind says. */
function fieldsOf(step: Item, model: Model, path: readonly string[]): Suggestion[] {
  const known: Record<string, string[]> = {
    agent: ['text', 'data', 'usage'],
    shell: ['stdout', 'stderr', 'code'],
    human: ['approved', 'note', 'data'],
    webhook: ['status', 'headers', 'body', 'callback'],
  };
  if (!path.length) {
    return (known[step.kind ?? ''] ?? []).flatMap(one => words(one, `of ${step.kind ?? ''}`));
  }
  const schema =
    step.kind === 'agent' && path[0] === 'data'
      ? agentOutput(model, step)
      : step.kind === 'human' && path[0] === 'data' && isRecord(step.action.human)
        ? step.action.human.form
        : undefined;
  return propertiesOf(schema, path.slice(1)).map(one => ({ label: one, detail: 'field' }));
}

function agentOutput(model: Model, step: Item): unknown {
  const data = model.source.data;
  const agents = isRecord(data) && isRecord(data.agents) ? data.agents : {};
  const agent = agents[String(step.action.agent)];
  return isRecord(agent) ? agent.output : undefined;
}

function propertiesOf(schema: unknown, path: readonly string[]): string[] {
  const properties = isRecord(schema) && isRecord(schema.properties) ? schema.properties : {};
  const [first, ...rest] = path;
  return first === undefined ? Object.keys(properties) : propertiesOf(properties[first], rest);
}

function words(label: string, detail: string): Suggestion[] {
  return [{ label, detail }];
}

/** Whether an expression ends inside a quoted text. */
function isInString(text: string): boolean {
  let quote = '';
  for (let place = 0; place < text.length; place++) {
    const character = text[place] ?? '';
    if (quote && character === '\\') {
      place++;
    } else if (quote) {
      quote = character === quote ? '' : quote;
    } else if (character === '"' || character === "'") {
      quote = character;
    }
  }
  return quote !== '';
}
