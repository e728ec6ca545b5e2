import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { parse as plain } from 'yaml';

import { expressionsOf, nameProblem, references } from '../../src/editor/expressions';
import { before, read, waitsFor } from '../../src/editor/model';
import * as operations from '../../src/editor/operations';
import { Draft } from '../../src/editor/text/draft';
import { same } from '../../src/editor/text/splicing';
import { templates } from './templates';

function after(text: string, change: (draft: Draft) => unknown): string {
  const draft = new Draft(text);
  change(draft);
  return draft.text;
}

const named = (name: string): string => templates.find(one => one.name === `${name}.workflow.yaml`)?.text ?? '';
const support = named('support');
const review = named('review');

describe('expressions', () => {
  test('where they stand, and what they read', () => {
    expect(expressionsOf('a ${x} $${no} ${ {"}": 1}["}"] } ${open').map(one => one.to - one.from)).toEqual([1, 15, 4]);
    const found = references('${steps.a.output + steps . b.text + x.steps.c + "steps.d"} steps.e', false);
    expect(found.map(one => `${one.root}.${one.name}`)).toEqual(['steps.a', 'steps.b', 'x.steps']);
    expect(references("steps.a.status == 'steps.b'", true).map(one => one.name)).toEqual(['a']);
  });

  test('names', () => {
    expect(nameProblem('good_1', ['other'])).toBe('');
    for (const bad of ['', '1a', 'my-step', 'while', 'other']) {
      expect(nameProblem(bad, ['other'])).not.toBe('');
    }
  });
});

describe('model', () => {
  test('what waits for what', () => {
    const model = read(support);
    expect(before(model.items.get('review') ?? fail())).toEqual(['analyse', 'draft']);
    expect(model.items.get('draft')).toMatchObject({ needs: ['analyse'], reads: ['notes'], handler: 'standard_reply' });
    expect(waitsFor(model, 'send', 'notes')).toBe(true);
    expect(waitsFor(model, 'notes', 'send')).toBe(false);
  });

  test.each([
    '',
    '[]',
    'x',
    'steps: 3',
    'steps: {a: , b: [1], c: {needs: x}}',
    'steps:\n  a:\n    agent: [x',
    '\0\x01',
  ])('reads %j as far as it goes', text => {
    expect(read(text).kind).toBe('dag');
  });

  test('any text', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary', maxLength: 200 }), text => {
        expect(read(text).items).toBeInstanceOf(Map);
      }),
      { seed: 3, numRuns: 300 },
    );
  });
});

function fail(): never {
  throw new Error('it is not there');
}

describe('rename', () => {
  test('follows into expressions, needs, handlers, transitions and outputs, and changes nothing else', () => {
    const found = after(support, draft => operations.rename(draft, 'draft', 'reply'));
    expect(found).toBe(support.replaceAll('steps.draft', 'steps.reply').replace('  draft:\n', '  reply:\n'));
    expect(after(support, draft => operations.rename(draft, 'analyse', 'mood'))).toContain('needs: [mood]');
    expect(after(support, draft => operations.rename(draft, 'standard_reply', 's'))).toContain('{goto: s}');
    const states = after(review, draft => operations.rename(draft, 'PROCESSING', 'WRITE'));
    expect(states).toBe(review.replaceAll('PROCESSING', 'WRITE'));
    expect(after(review, draft => operations.rename(draft, 'START', 'BEGIN'))).toContain('initial: BEGIN');
  });

  test('there and back is the same text', () => {
    for (const { text } of templates) {
      for (const id of read(text).items.keys()) {
        const there = after(text, draft => operations.rename(draft, id, 'zzz'));
        expect(read(there).items.has('zzz')).toBe(true);
        expect(after(there, draft => operations.rename(draft, 'zzz', id))).toBe(text);
      }
    }
  });

  test('a text that looks like a reference stays', () => {
    const text = `steps:\n  a: {tool: t}\n  b: {tool: t, when: "steps.a.output != 'steps.a'"}\n`;
    expect(plain(after(text, draft => operations.rename(draft, 'a', 'z')))).toMatchObject({
      steps: { b: { when: "steps.z.output != 'steps.a'" } },
    });
  });
});

describe('add, connect, insert, remove', () => {
  test('a step after another', () => {
    const found = after(support, draft => operations.addAfter(draft, 'notify', { webhook: { event: 'x' } }, 'send'));
    expect(found).toContain('\n  notify:\n    webhook: {event: x}\n    needs: [send]\n\n  standard_reply:\n');
    expect(found.replace(/\n {2}notify:\n.*\n.*\n/, '')).toBe(support);
  });

  test('a step on an edge', () => {
    const needed = after(support, draft => operations.insert(draft, 'check', { tool: 't' }, 'analyse', 'draft'));
    expect(read(needed).items.get('draft')?.needs).toEqual(['check']);
    expect(read(needed).items.get('check')?.needs).toEqual(['analyse']);
    const readOnly = after(support, draft => operations.insert(draft, 'check', { tool: 't' }, 'notes', 'draft'));
    expect(read(readOnly).items.get('draft')).toMatchObject({ needs: ['analyse', 'check'], reads: ['notes'] });
  });

  test('needs come and go', () => {
    const there = after(support, draft => operations.connect(draft, 'notes', 'review'));
    expect(there).toContain('needs: [notes]');
    expect(after(there, draft => operations.disconnect(draft, 'notes', 'review'))).toBe(support);
    const two = after(support, draft => operations.connect(draft, 'notes', 'draft'));
    expect(two).toContain('needs: [analyse, notes]                        # steps that');
    expect(after(two, draft => operations.disconnect(draft, 'notes', 'draft'))).toBe(support);
  });

  test('states and transitions', () => {
    const there = after(review, draft => operations.connect(draft, 'ERROR', 'REVIEW'));
    expect(
      read(there)
        .items.get('ERROR')
        ?.transitions.map(one => one.to),
    ).toEqual(['FAILED', 'PROCESSING', 'REVIEW']);
    expect(after(there, draft => operations.disconnect(draft, 'ERROR', 'REVIEW'))).toBe(review);
    const between = after(review, draft => operations.insert(draft, 'CHECK', { tool: 't' }, 'REVIEW', 'APPROVED'));
    expect(read(between).items.get('REVIEW')?.transitions[0]).toMatchObject({ to: 'CHECK', on: 'approved' });
    expect(read(between).items.get('CHECK')?.transitions).toMatchObject([{ to: 'APPROVED' }]);
    const on = after(review, draft => operations.connect(draft, 'COMPLETE', 'START'));
    expect(read(on).items.get('COMPLETE')?.value).toEqual({ transitions: [{ to: 'START' }] });
  });

  test('what is removed is named nowhere but in expressions', () => {
    for (const { text } of templates) {
      for (const id of read(text).items.keys()) {
        const model = read(after(text, draft => operations.remove(draft, id)));
        expect(model.source.problems).toEqual([]);
        expect(model.items.has(id)).toBe(false);
        for (const item of model.items.values()) {
          expect([...item.needs, item.handler, ...item.transitions.map(one => one.to)]).not.toContain(id);
        }
      }
    }
  });

  test('a field that is emptied takes the empty mapping with it', () => {
    const found = after(support, draft =>
      operations.setField(draft, ['steps', 'analyse', 'retry', 'max_attempts'], undefined),
    );
    expect(found).toBe(support.replace('    retry: {max_attempts: 2}\n', ''));
  });

  test('the first step of an empty text', () => {
    const found = after('', draft => operations.add(draft, 'my step', { agent: 'writer' }));
    expect(plain(found)).toEqual({ steps: { my_step: { agent: 'writer' } } });
  });
});

test('any series of edits keeps all comments and comes to a text that reads as it should', () => {
  const names = ['analyse', 'notes', 'draft', 'review', 'send', 'standard_reply', 'fresh', 'fresh_2'];
  const name = fc.constantFrom(...names);
  const step = fc.oneof(
    fc.record({ do: fc.constant('add'), a: name, b: name }),
    fc.record({ do: fc.constant('connect'), a: name, b: name }),
    fc.record({ do: fc.constant('disconnect'), a: name, b: name }),
    fc.record({ do: fc.constant('rename'), a: name, b: name }),
    fc.record({ do: fc.constant('insert'), a: name, b: name }),
  );
  const comments = (text: string): string[] => text.match(/(?<=^|\s)#.*/gm) ?? [];
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), steps => {
      const draft = new Draft(support);
      for (const { do: what, a, b } of steps) {
        const model = read(draft.text);
        if (!model.items.has(a)) {
          continue;
        }
        if (what === 'add') {
          operations.addAfter(draft, 'fresh', { tool: 't' }, a);
        } else if (what === 'rename' && !model.items.has(b)) {
          operations.rename(draft, a, b);
        } else if (model.items.has(b) && a !== b && what !== 'rename') {
          (what === 'connect' ? operations.connect : operations.disconnect)(draft, a, b);
          if (what === 'insert') {
            operations.insert(draft, 'fresh', { tool: 't' }, a, b);
          }
        }
      }
      const found = read(draft.text);
      expect(found.source.problems).toEqual([]);
      // A step's own line may go with its comment; all others stay.
      const gone = comments(support).filter(one => !draft.text.includes(one));
      expect(gone.filter(one => !/needs|waited for|on_error|go on there/.test(one))).toEqual([]);
      // The edits, one after the other, make the same text.
      const again = draft.edits.reduce((text, one) => text.slice(0, one.from) + one.text + text.slice(one.to), support);
      expect(same(again, draft.text)).toBe(true);
    }),
    { seed: 11, numRuns: 60 },
  );
});
