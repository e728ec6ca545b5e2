import { Document, Scalar, visit, type Node } from 'yaml';

/** A mapping or a list is written on one line up to this many characters. */
const ONE_LINE = 78;

/** How a value was written before: the quotes of a text, the kind of a block, the brackets of a collection. */
export type Style = Scalar.Type | 'FLOW' | undefined;

/** A value on one line: `{text: "${inputs.ticket}"}`. */
export function flow(value: unknown, style?: Style): string {
  const document = new Document([value], { version: '1.2' });
  quoted(document, style);
  visit(document, {
    Collection: (_, node) => {
      node.flow = true;
    },
    // A block of text can't stand in brackets, and a line break would make two lines of one.
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && (node.value.includes('\n') || node.type?.startsWith('BLOCK'))) {
        node.type = 'QUOTE_DOUBLE';
      }
    },
  });
  return document
    .toString({ ...OPTIONS, lineWidth: 0 })
    .trimEnd()
    .slice(1, -1);
}

/**
 * A key with its value, as lines of a block: `['input:', '  text: …']`.
 *
 * @param column - The key's column; every line is indented by it.
 * @param step - How many columns each level is indented.
 * @param style - How the value was written before.
 */
export function pairLines(key: string, value: unknown, column: number, step: number, style?: Style): string[] {
  const name = flow(key);
  if (
    isCollection(value) &&
    (style === 'FLOW' || (isSmall(value, column + name.length + 2) && !isPart(value, column, step)))
  ) {
    return [`${' '.repeat(column)}${name}: ${flow(value)}`];
  }
  if (isRecord(value)) {
    const inner = Object.entries(value).flatMap(([part, one]) => pairLines(part, one, column + step, step));
    return [`${' '.repeat(column)}${name}:`, ...inner];
  }
  if (Array.isArray(value)) {
    return [`${' '.repeat(column)}${name}:`, ...value.flatMap(one => itemLines(one, column + step, step))];
  }
  return scalarLines(`${name}: `, value, column, step, style);
}

/** An item of a list, as lines of a block. */
export function itemLines(value: unknown, column: number, step: number, style?: Style): string[] {
  if (isCollection(value) && (style === 'FLOW' || isSmall(value, column + 2))) {
    return [`${' '.repeat(column)}- ${flow(value)}`];
  }
  if (isRecord(value)) {
    const lines = Object.entries(value).flatMap(([part, one]) => pairLines(part, one, column + 2, step));
    return lines.map((line, place) => (place ? line : `${' '.repeat(column)}- ${line.slice(column + 2)}`));
  }
  if (Array.isArray(value)) {
    return [`${' '.repeat(column)}- ${flow(value)}`];
  }
  return scalarLines('- ', value, column, step, style);
}

const OPTIONS = { flowCollectionPadding: false, doubleQuotedMinMultiLineLength: 1_000_000 } as const;

function scalarLines(lead: string, value: unknown, column: number, step: number, style: Style): string[] {
  const document = new Document({ k: value }, { version: '1.2' });
  const node = document.get('k', true) as Node | undefined;
  if (node instanceof Scalar) {
    node.type = styleOf(value, style);
  }
  const text = document.toString({ ...OPTIONS, lineWidth: 0, indent: step }).replace(/\n$/, '');
  const [first = '', ...rest] = text.split('\n');
  const indent = ' '.repeat(column);
  return [indent + lead + first.slice('k: '.length), ...rest.map(line => (line ? indent + line : line))];
}

/** The way to write a text: as before where that is possible. */
function styleOf(value: unknown, style: Style): Scalar.Type | undefined {
  if (typeof value !== 'string') {
    return undefined;
  }
  const hasLines = value.includes('\n');
  const wasBlock = style === 'BLOCK_LITERAL' || style === 'BLOCK_FOLDED';
  if (hasLines) {
    return style === 'QUOTE_DOUBLE' ? style : 'BLOCK_LITERAL';
  }
  if (wasBlock) {
    return style;
  }
  return isInline(style) ? style : quotes(value);
}

function isInline(style: Style): style is 'PLAIN' | 'QUOTE_DOUBLE' | 'QUOTE_SINGLE' {
  return style === 'PLAIN' || style === 'QUOTE_DOUBLE' || style === 'QUOTE_SINGLE';
}

/** A text that is one expression is written like the others in the house: in double quotes, so that it may hold anything. */
function quotes(value: string): Scalar.Type | undefined {
  return value.includes('${') && !value.includes('"') && !value.includes('\\') ? 'QUOTE_DOUBLE' : undefined;
}

/** Gives the texts of a list of one value their quotes. */
function quoted(document: Document, style: Style): void {
  visit(document, {
    Scalar: (_, node, path) => {
      if (typeof node.value === 'string') {
        node.type = path.length === 2 && isInline(style) ? style : quotes(node.value);
      }
    },
  });
}

/** Whether a value is one of the document's parts, which are never squeezed into a line: all steps, a step. */
function isPart(value: object, column: number, step: number): boolean {
  const entries: unknown[] = Array.isArray(value) ? [] : Object.values(value);
  return column === 0 ? entries.some(isRecord) : column <= step && entries.some(one => typeof one !== 'boolean');
}

function isSmall(value: object, used: number): boolean {
  const entries = Object.values(value);
  const isFlat = entries.every(one => !isCollection(one) || Object.values(one).every(part => !isCollection(part)));
  const isMultiline = JSON.stringify(value).includes('\\n');
  return !entries.length || (isFlat && !isMultiline && used + flow(value).length <= ONE_LINE);
}

export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCollection(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}
