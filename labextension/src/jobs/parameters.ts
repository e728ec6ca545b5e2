import { JobDetail } from '../api/types';

type Schema = Readonly<Record<string, unknown>>;

/** What is typed for a parameter, as it wants it: text where text is asked for, else JSON where it is JSON. */
export function typed(schema: Schema | undefined, text: string): unknown {
  if (schema?.type !== 'string') {
    try {
      return JSON.parse(text) as unknown;
    } catch {
      return text;
    }
  }
  return text;
}

/** The parameters of a run, of which some were typed. */
export function typedAll(job: JobDetail, texts: Readonly<Record<string, string>>): Record<string, unknown> {
  const given = Object.entries(texts).filter(([, text]) => text !== '');
  return Object.fromEntries(given.map(([name, text]) => [name, typed(job.parameters[name], text)]));
}

/** The type of a parameter in a word. */
export function typeOf(schema: Schema): string {
  if (Array.isArray(schema.enum)) {
    return schema.enum.map(String).join(' | ');
  }
  return Array.isArray(schema.type)
    ? schema.type.map(String).join(' | ')
    : typeof schema.type === 'string'
      ? schema.type
      : 'any';
}
