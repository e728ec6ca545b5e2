/** The words of expressions (CEL), where `${…}` stands in a text, and what is read in it. The rules are those of the server. */

/** Step IDs, and names of inputs and states. */
export const STEP_ID = /^[A-Za-z_][A-Za-z0-9_]*$/;

const KEYWORDS = new Set(
  (
    'true false null in as break const continue else for function if import let loop package namespace return var ' +
    'void while'
  ).split(' '),
);

const TOKEN =
  /([ \t\r\n\f]+|\/\/[^\n]*)|([bB]?[rR](?:"{3}[\s\S]*?"{3}|'{3}[\s\S]*?'{3}|"[^"\n\r]*"|'[^'\n\r]*')|[bB]?(?:"{3}(?:\\[\s\S]|[^\\])*?"{3}|'{3}(?:\\[\s\S]|[^\\])*?'{3}|"(?:\\.|[^"\\\n\r])*"|'(?:\\.|[^'\\\n\r])*'))|(0x[0-9a-fA-F]+[uU]?|[0-9]*\.[0-9]+(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+|[0-9]+[uU]?)|([A-Za-z_][A-Za-z0-9_]*)|([\s\S])/y;

interface Token {
  kind: 'string' | 'number' | 'name' | 'other';
  text: string;
  from: number;
}

/** A part of a text that is an expression. */
export interface Span {
  from: number;
  to: number;
}

/** `root.name` in an expression; `from` and `to` are those of the name. */
export interface Reference extends Span {
  root: string;
  name: string;
}

/** Why a text can't be the name of a step or a state; empty where it can. */
export function nameProblem(name: string, taken: Iterable<string>): string {
  if (!STEP_ID.test(name) || name.length > 100) {
    return 'A name has letters, digits and _ only, and begins with no digit';
  }
  if (KEYWORDS.has(name)) {
    return `${name} is a word of the expression language: choose another name`;
  }
  return [...taken].includes(name) ? `There is ${name} already` : '';
}

/** The expressions in a text: what stands in each `${…}`; one that isn't closed goes to the end. */
export function expressionsOf(text: string): Span[] {
  const found: Span[] = [];
  const opening = /\$?\$\{/g;
  for (let match = opening.exec(text); match; match = opening.exec(text)) {
    if (match[0] === '$${') {
      continue;
    }
    const from = opening.lastIndex;
    const to = closing(text, from);
    found.push({ from, to: to < 0 ? text.length : to });
    if (to < 0) {
      break;
    }
    opening.lastIndex = to + 1;
  }
  return found;
}

/**
 * What expressions in a text read.
 *
 * @param bare - Whether the whole text is an expression, as that of `when` is.
 */
export function references(text: string, bare: boolean): Reference[] {
  return (bare ? [{ from: 0, to: text.length }] : expressionsOf(text)).flatMap(span => inExpression(text, span));
}

function inExpression(text: string, { from, to }: Span): Reference[] {
  const tokens = [...scan(text, from, to)];
  return tokens.flatMap((token, place) => {
    const [dot, name] = [tokens[place + 1], tokens[place + 2]];
    const isMember = tokens[place - 1]?.text === '.';
    return token.kind === 'name' && !isMember && dot?.text === '.' && name?.kind === 'name'
      ? [{ root: token.text, name: name.text, from: name.from, to: name.from + name.text.length }]
      : [];
  });
}

function* scan(text: string, from: number, to: number): Generator<Token> {
  const kinds = ['string', 'number', 'name', 'other'] as const;
  TOKEN.lastIndex = from;
  for (let match = TOKEN.exec(text); match && match.index < to; match = TOKEN.exec(text)) {
    const next = TOKEN.lastIndex;
    const kind = kinds.find((_, place) => match?.[place + 2] !== undefined);
    if (kind) {
      yield { kind, text: match[0], from: match.index };
    }
    TOKEN.lastIndex = next;
  }
}

/** Where the brace stands that ends the expression which begins there; -1 where none does. */
function closing(text: string, from: number): number {
  let depth = 0;
  for (const token of scan(text, from, Math.min(text.length, from + 10_001))) {
    if (token.text === '{') {
      depth++;
    } else if (token.text === '}') {
      if (!depth) {
        return token.from;
      }
      depth--;
    }
  }
  return -1;
}

/** A text as a regular expression that is this text only. */
export function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');
}
