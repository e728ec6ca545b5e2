import { describe, expect, test } from 'vitest';

import { suggest } from '../../src/editor/completion';
import { drawing } from '../../src/editor/drawing';
import { pathOf, placed, syntaxFindings, type ServerFinding } from '../../src/editor/findings';
import { arrange } from '../../src/editor/layout';
import { read } from '../../src/editor/model';
import { entriesOf, matching, NOTHING_KNOWN } from '../../src/editor/palette';
import { blank, resolved, shapeOf, variantOf, type Schema } from '../../src/editor/schema';
import { applied } from '../../src/editor/text/draft';
import { nearest } from '../../src/graph/editing';
import { templates } from './templates';

const named = (name: string): string => templates.find(one => one.name === `${name}.workflow.yaml`)?.text ?? '';
const support = read(named('support'));
const labels = (text: string, bare = false, id = 'draft'): string[] =>
  suggest(text, text.length, bare, support, id)?.options.map(one => one.label) ?? [];

describe('completion', () => {
  test('of inputs, of steps that do not wait for this one, and of their fields', () => {
    expect(labels('${inputs.')).toEqual(['ticket']);
    expect(labels('${steps.')).toEqual(['analyse', 'notes']);
    expect(labels('${steps.analyse.output.data.')).toEqual(['mood', 'money']);
    expect(labels('steps.review.output.', true, 'send')).toEqual(['approved', 'note', 'data']);
    expect(labels('inp', true)).toEqual(['inputs']);
  });

  test('nothing outside of expressions, in quoted text, and behind values', () => {
    expect(labels('steps.')).toEqual([]);
    expect(labels("'steps.", true)).toEqual([]);
    expect(labels('${x.steps.')).toEqual([]);
  });
});

describe('layout', () => {
  test('of all templates: nothing overlaps, lines go from left to right', () => {
    for (const { text } of templates) {
      const graph = drawing(read(text));
      for (const one of graph.nodes) {
        for (const other of graph.nodes) {
          const apart =
            one === other ||
            one.x + one.width <= other.x ||
            other.x + other.width <= one.x ||
            one.y + one.height <= other.y ||
            other.y + other.height <= one.y;
          expect(apart, `${one.id} and ${other.id}`).toBe(true);
        }
      }
      for (const { points } of graph.edges) {
        expect(points.map(([x]) => x)).toEqual(points.map(([x]) => x).sort((one, other) => one - other));
      }
    }
  });

  test('circles, what leads nowhere, and nothing at all', () => {
    expect(arrange([], [], '', 10).height).toBe(0);
    const box = (id: string): { id: string; width: number; height: number } => ({ id, width: 10, height: 10 });
    const found = arrange(
      [box('a'), box('b'), box('c')],
      [
        ['a', 'b'],
        ['b', 'a'],
        ['c', 'c2'],
      ].slice(0, 2) as [string, string][],
      'a',
      5,
    );
    expect(found.lines.map(line => line.backward)).toEqual([false, true]);
    expect(found.places.size).toBe(3);
  });

  test('a line on which something is let go', () => {
    const edge = { path: 'e', source: 'a', target: 'b', edge: { id: 'e', source: 'a', target: 'b', points: [] } };
    const line = {
      ...edge,
      points: [
        [0, 0],
        [100, 0],
      ] as [number, number][],
    };
    expect(nearest([line], 50, 10)?.path).toBe('e');
    expect(nearest([line], 50, 60)).toBeNull();
  });
});

const finding = (part: Partial<ServerFinding>): ServerFinding => ({
  line: 1,
  column: 1,
  field: '',
  message: '',
  mend: '',
  severity: 'error',
  ...part,
});

describe('findings', () => {
  const text =
    'name: x\nsteps:\n  a: {tool: t, retrys: 2}\n  b:\n    agent: w\n    needs: [aa]\n    when: steps.aa.x == "aa"\n  my-step: {tool: t}\n';
  const mended = (part: Partial<ServerFinding>): string => {
    const model = read(text);
    const [found] = placed([finding(part)], model);
    return applied(text, found?.fix?.edits ?? []);
  };

  test('stand at their step and their line', () => {
    const [found] = placed(
      [finding({ line: 6, column: 13, field: 'steps.b.needs[0]', message: 'there is no step aa' })],
      read(text),
    );
    expect(found).toMatchObject({ id: 'b', line: 6, path: ['steps', 'b', 'needs', 0] });
    expect(text.slice(found?.from, found?.to)).toBe('aa');
    expect(pathOf('a["my key"][2].c')).toEqual(['a', 'my key', 2, 'c']);
  });

  test('are mended by a change of what is wrong, and of nothing else', () => {
    const mend = 'Did you mean a?';
    expect(mended({ line: 6, field: 'steps.b.needs[0]', message: 'there is no step aa', mend })).toBe(
      text.replace('[aa]', '[a]'),
    );
    expect(mended({ line: 7, field: 'steps.b.when', message: 'there is no step aa', mend })).toBe(
      text.replace('steps.aa', 'steps.a'),
    );
    expect(
      mended({ line: 3, field: 'steps.a.retrys', message: "unknown key 'retrys'", mend: 'Did you mean retry?' }),
    ).toBe(text.replace('retrys', 'retry'));
    expect(mended({ line: 8, field: 'steps.my-step', mend: 'Rename it, for example my_step' })).toBe(
      text.replace('my-step', 'my_step'),
    );
    expect(mended({ line: 5, field: 'steps.b.agent', mend: 'Declare it: agents: {w: {instructions: …}}' })).toContain(
      'agents:\n  w:\n',
    );
    expect(mended({ line: 6, field: 'steps.b.needs[0]', mend: 'There are a, b' })).toBe(text);
  });

  test('what the parser says has a place', () => {
    expect(syntaxFindings(read('a: 1\nb: [\n').source)[0]?.line).toBeGreaterThan(1);
  });
});

describe('forms', () => {
  const root: Schema = {
    $defs: {
      Retry: { type: 'object', properties: { max: { type: 'integer' } }, required: ['max'] },
      Duration: { anyOf: [{ type: 'string' }, { type: 'number' }] },
    },
  };

  test('what a schema looks like', () => {
    const shape = (schema: Schema): unknown => shapeOf(resolved(schema, root), root);
    expect(shape({ anyOf: [{ $ref: '#/$defs/Retry' }, { type: 'null' }] })).toMatchObject({
      form: 'object',
      required: ['max'],
    });
    expect(shape({ $ref: '#/$defs/Duration' })).toEqual({ form: 'text' });
    expect(shape({ anyOf: [{ type: 'boolean' }, { $ref: '#/$defs/Retry' }] })).toMatchObject({ form: 'variants' });
    expect(shape({ anyOf: [{ $ref: '#/$defs/Duration' }, { $ref: '#/$defs/Retry' }] })).toMatchObject({
      form: 'variants',
    });
    expect(shape({ type: 'object', additionalProperties: { type: 'string' } })).toEqual({
      form: 'map',
      values: { type: 'string' },
    });
    expect(shape({})).toEqual({ form: 'any' });
  });

  test('which variant a value is of, and a first value', () => {
    const variants: Schema[] = [{ enum: ['fail', 'continue'] }, { $ref: '#/$defs/Retry' }];
    expect(variantOf('continue', variants, root)).toBe(0);
    expect(variantOf({ max: 2 }, variants, root)).toBe(1);
    expect(blank({ $ref: '#/$defs/Retry' }, root)).toEqual({ max: 1 });
  });
});

test('the palette is found by typing', () => {
  const entries = entriesOf(support, { ...NOTHING_KNOWN, templates: [{ name: 'etl', description: 'Extract' }] });
  expect(matching(entries, 'sh')[0]?.id).toBe('kind:shell');
  expect(matching(entries, 'writer').map(one => one.id)).toEqual(['agent:writer']);
  expect(matching(entries, 'etl')[0]?.template).toBe('etl');
  expect(matching(entries, 'nothing like it')).toEqual([]);
});
