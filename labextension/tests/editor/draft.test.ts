import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse as plain } from 'yaml';

import { Draft, valueAt, withValue } from '../../src/editor/text/draft';
import { same, Tangled } from '../../src/editor/text/splicing';
import { isRecord } from '../../src/editor/text/rendering';
import type { Path } from '../../src/editor/text/source';
import { templates } from './templates';

function changed(text: string, path: Path, value: unknown): string {
  const draft = new Draft(text);
  draft.set(path, value);
  return draft.text;
}

/** The lines of the first text that are not in the second one, in order (longest common subsequence). */
function lost(before: string, after: string): string[] {
  const [a, b] = [before.split('\n'), after.split('\n')];
  const table = Array.from({ length: a.length + 1 }, () => new Uint32Array(b.length + 1));
  const at = (i: number, j: number): number => table[i]?.[j] ?? 0;
  for (let i = a.length - 1; i >= 0; i--) {
    for (let j = b.length - 1; j >= 0; j--) {
      const row = table[i];
      if (row) {
        row[j] = a[i] === b[j] ? at(i + 1, j + 1) + 1 : Math.max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  const gone: string[] = [];
  for (let i = 0, j = 0; i < a.length;) {
    if (j < b.length && a[i] === b[j]) {
      i++;
      j++;
    } else if (j < b.length && at(i, j + 1) >= at(i + 1, j)) {
      j++;
    } else {
      gone.push(a[i++] ?? '');
    }
  }
  return gone;
}

const TEXT = `# What it is
name: demo   # its name

steps:
  # the first
  a:
    tool: python:x.y      # which
    input: {q: "\${inputs.q}"}   # with
  b:
    agent: writer
    needs: [a]
    when: >
      steps.a.output == 1
      && true
    # about b
# the end
outputs: {r: "\${steps.b.output.text}"}
`;

describe('set', () => {
  test('a value keeps its comment, its quotes and all other lines', () => {
    expect(changed(TEXT, ['name'], 'other')).toBe(TEXT.replace('name: demo ', 'name: other '));
    expect(changed(TEXT, ['steps', 'a', 'input', 'q'], '${inputs.z}')).toBe(TEXT.replace('inputs.q', 'inputs.z'));
    expect(changed(TEXT, ['steps', 'a', 'tool'], 'python:v.w')).toBe(TEXT.replace('python:x.y', 'python:v.w'));
  });

  test('a new key comes after its siblings, before the comments of what follows', () => {
    expect(changed(TEXT, ['steps', 'a', 'timeout'], '5s')).toBe(TEXT.replace('# with\n', '# with\n    timeout: 5s\n'));
    expect(changed(TEXT, ['steps', 'b', 'retry'], { max_attempts: 2 })).toBe(
      TEXT.replace('    # about b\n', '    # about b\n    retry: {max_attempts: 2}\n').replace(
        '    # about b\n    retry: {max_attempts: 2}\n',
        '    retry: {max_attempts: 2}\n    # about b\n',
      ),
    );
  });

  test('a new step', () => {
    const found = changed(TEXT, ['steps', 'c'], { human: { prompt: 'Good?' }, needs: ['b'] });
    expect(plain(found)).toMatchObject({ steps: { c: { human: { prompt: 'Good?' }, needs: ['b'] } } });
    expect(lost(TEXT, found)).toEqual([]);
  });

  test('lists in brackets and below', () => {
    expect(changed(TEXT, ['steps', 'b', 'needs', 1], 'z')).toBe(TEXT.replace('[a]', '[a, z]'));
    const below = 'needs:\n  - a   # one\n  - b\n';
    expect(changed(below, ['needs', 2], 'c')).toBe('needs:\n  - a   # one\n  - b\n  - c\n');
    expect(changed(below, ['needs', 1], 'c')).toBe('needs:\n  - a   # one\n  - c\n');
    expect(changed(below, ['needs', 0], undefined)).toBe('needs:\n  - b\n');
  });

  test('text of several lines becomes a block, and a block stays one', () => {
    const one = 'a:\n  prompt: Hello   # said\n  z: 1\n';
    const found = changed(one, ['a', 'prompt'], 'Hello\nyou');
    expect(plain(found)).toEqual({ a: { prompt: 'Hello\nyou', z: 1 } });
    expect(found).toContain('# said');
    expect(changed(found, ['a', 'prompt'], 'Hello\nall')).toBe(found.replace('you', 'all'));
  });

  test('a single value becomes a mapping and the other way round', () => {
    const text = 's:\n  a:\n    timeout: 5s # long\n    z: 1\n';
    const found = changed(text, ['s', 'a', 'timeout'], { attempt: '5s' });
    expect(found).toBe('s:\n  a:\n    timeout: {attempt: 5s} # long\n    z: 1\n');
    expect(changed(found, ['s', 'a', 'timeout'], '5s')).toBe(text);
  });

  test('empty values, empty texts and texts without a last line break', () => {
    expect(changed('steps:\n', ['steps', 'a'], { tool: 't' })).toBe('steps:\n  a:\n    tool: t\n');
    expect(plain(changed('', ['steps', 'a'], { tool: 't' }))).toEqual({ steps: { a: { tool: 't' } } });
    expect(changed('# only\n', ['name'], 'x')).toBe('# only\nname: x\n');
    expect(changed('a: 1', ['b'], 2)).toBe('a: 1\nb: 2');
    expect(changed('a: {}\n', ['a', 'b'], 2)).toBe('a: {b: 2}\n');
  });

  test('JSON stays JSON', () => {
    const text = '{\n  "name": "x",\n  "steps": {\n    "a": {"tool": "t"}\n  }\n}\n';
    const found = changed(text, ['steps', 'b'], { agent: 'w', needs: ['a'] });
    expect(JSON.parse(found)).toEqual({ name: 'x', steps: { a: { tool: 't' }, b: { agent: 'w', needs: ['a'] } } });
    expect(lost(text, found)).toEqual(['    "a": {"tool": "t"}']);
    expect(JSON.parse(changed(found, ['steps', 'a'], undefined))).toEqual({
      name: 'x',
      steps: { b: { agent: 'w', needs: ['a'] } },
    });
  });

  test('line breaks of Windows stay', () => {
    const text = 'name: x\r\nsteps:\r\n  a:\r\n    tool: t\r\n';
    expect(changed(text, ['steps', 'b'], { tool: 'u', needs: ['a'] })).not.toMatch(/[^\r]\n/);
  });

  test('aliases are not edited through, and broken text not at all', () => {
    expect(() => changed('a: &x {b: 1}\nc: *x\n', ['c', 'b'], 2)).toThrow(Tangled);
    expect(() => changed('a: [1\nb: 2\n', ['b'], 3)).toThrow(Tangled);
  });
});

describe('remove', () => {
  test('takes its own lines away', () => {
    expect(changed(TEXT, ['steps', 'b', 'needs'], undefined)).toBe(TEXT.replace('    needs: [a]\n', ''));
    expect(changed(TEXT, ['steps', 'a', 'input', 'q'], undefined)).toBe(TEXT.replace('{q: "${inputs.q}"}', '{}'));
  });

  test('a step with the blank line that set it apart', () => {
    const text = 'steps:\n  a:\n    tool: t\n\n  b:\n    tool: u\n\n  c:\n    tool: v\n\nz: 1\n';
    expect(changed(text, ['steps', 'b'], undefined)).toBe('steps:\n  a:\n    tool: t\n\n  c:\n    tool: v\n\nz: 1\n');
    expect(changed(text, ['steps', 'c'], undefined)).toBe('steps:\n  a:\n    tool: t\n\n  b:\n    tool: u\n\nz: 1\n');
  });

  test('the last one leaves an empty mapping', () => {
    expect(plain(changed('steps:\n  a: # x\n    tool: t\nz: 1\n', ['steps', 'a'], undefined))).toEqual({
      steps: {},
      z: 1,
    });
  });
});

/** The paths of all values of a document. */
function paths(value: unknown, path: Path = []): Path[] {
  const inner = Array.isArray(value)
    ? value.flatMap((one, place) => paths(one, [...path, place]))
    : isRecord(value)
      ? Object.entries(value).flatMap(([key, one]) => paths(one, [...path, key]))
      : [];
  return path.length ? [path, ...inner] : inner;
}

const value = fc.oneof(
  fc.constantFrom(
    'a',
    '${inputs.x}',
    'yes: no',
    '# no comment',
    '- x',
    'two\nlines',
    ' lead',
    'x\n',
    '',
    '1',
    'null',
    '{a}',
    "it's",
    'a "b"',
  ),
  fc.string({ maxLength: 30 }),
  fc.integer(),
  fc.boolean(),
  fc.dictionary(fc.constantFrom('k', 'l', 'with space', '1'), fc.oneof(fc.string({ maxLength: 12 }), fc.integer()), {
    maxKeys: 3,
  }),
  fc.array(fc.oneof(fc.string({ maxLength: 12 }), fc.boolean()), { maxLength: 3 }),
);

describe('any edit of any template', () => {
  test.each(templates)('$name reads as it should, and loses no comment and no line but its own', ({ text }) => {
    const data: unknown = plain(text);
    const all = paths(data);
    let refused = 0;
    let done = 0;
    fc.assert(
      fc.property(fc.constantFrom(...all), fc.option(value, { nil: undefined }), fc.boolean(), (path, one, isNew) => {
        const place = isNew && isRecord(valueAt(data, path)) ? [...path, 'fresh'] : path;
        let found: string;
        try {
          found = changed(text, place, one);
        } catch (reason) {
          expect(reason).toBeInstanceOf(Tangled);
          refused++;
          return;
        }
        done++;
        expect(same(plain(found), withValue(data, place, one))).toBe(true);
        const old = new Draft(text).source.spanOf(path);
        const own = text
          .slice(text.lastIndexOf('\n', old?.from ?? 0) + 1, text.indexOf('\n', old?.to ?? 0))
          .split('\n');
        const gone = lost(text, found).filter(line => line.trim());
        expect(gone.filter(line => !own.includes(line))).toEqual([]);
        const isOutside = (line: string): boolean => /^\s*#/.test(line) && !own.includes(line);
        expect(found.split('\n').filter(isOutside)).toEqual(text.split('\n').filter(isOutside));
      }),
      { seed: 7, numRuns: 150 },
    );
    expect(refused).toBeLessThan(done / 20);
  });

  test.each(templates)('$name and back is the same text', ({ text }) => {
    const data: unknown = plain(text);
    for (const path of paths(data)) {
      const old = valueAt(data, path);
      if (
        typeof old === 'string' &&
        !old.includes('\n') &&
        !/[>|]\s*(#.*)?$/m.test(text.split('\n').find(line => line.includes(`${String(path.at(-1))}:`)) ?? '')
      ) {
        expect(changed(changed(text, path, 'x1'), path, old)).toBe(text);
      }
    }
  });
});

describe('copied from another text', () => {
  const sections = ['inputs', 'agents', 'steps', 'states'];

  test.each(templates)('$name keeps its comments, whatever the indentation', ({ text }) => {
    const { source } = new Draft(text);
    const draft = new Draft(
      'name: mine\r\ninputs:\r\n    own: {type: string}\r\nsteps:\r\n    own: {agent: own}   # mine\r\n',
    );
    for (const section of sections) {
      const found = valueAt(source.data, [section]);
      for (const id of isRecord(found) ? Object.keys(found) : []) {
        draft.copy(source, [section, id]);
        expect(same(draft.at([section, id]), valueAt(source.data, [section, id]))).toBe(true);
        const span = source.spanOf([section, id]);
        const own = text.slice(span?.from, text.indexOf('\n', span?.to));
        for (const comment of own.matchAll(/ # .*$/gm)) {
          expect(draft.text).toContain(comment[0]);
        }
      }
    }
    expect(draft.text).toContain('    own: {agent: own}   # mine\r\n');
    expect(draft.text.replaceAll('\r\n', '')).not.toContain('\n');
  });

  test('into brackets goes the value alone', () => {
    const draft = new Draft('steps: {own: {agent: own}}\n');
    draft.copy(new Draft('steps:\n  a:\n    agent: b   # why\n').source, ['steps', 'a']);
    expect(draft.text).toBe('steps: {own: {agent: own}, a: {agent: b}}\n');
  });
});
