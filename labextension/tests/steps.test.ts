import { describe, expect, it } from 'vitest';

import { JournalEvent } from '../src/api/types';
import { gist, settled, Step, Steps, withEvents } from '../src/live/steps';
import { axisOf, rowsOf, ticksOf } from '../src/runs/timeline';

const START = Date.parse('2026-11-25T12:00:00Z');
let seq = 0;

/** An event of a workflow's step, some milliseconds after the start. */
function workflow(step: string, word: string, at: number, fields: Record<string, unknown> = {}): JournalEvent {
  const status = { started: 'running', retrying: 'queued' }[word] ?? word;
  const data = {
    timestamp: new Date(START + at).toISOString(),
    step_type: 'shell',
    step_name: step,
    status,
    attempts: 1,
    execution_time_ms: 0,
    input_data: null,
    output_data: null,
    ...fields,
  };
  return { seq: ++seq, type: `workflow.step_${word}`, run_id: 'r', step_id: step, data };
}

function agent(
  step: string,
  kind: string,
  status: string,
  at: number,
  fields: Record<string, unknown> = {},
): JournalEvent {
  const data = {
    timestamp: new Date(START + at).toISOString(),
    status,
    input_data: null,
    output_data: null,
    execution_time_ms: 0,
    metadata: { kind, name: 'lookup' },
    ...fields,
  };
  const word = status === 'running' ? 'started' : 'called';
  return { seq: ++seq, type: `agent.${kind}_${word}`, run_id: 'r', step_id: step, data };
}

function spans(steps: Steps, id: string): string[] {
  return (steps.get(id)?.spans ?? []).map(
    span =>
      `${span.status} ${span.from - START}–${span.to === null ? '' : span.to - START}${span.failed ? ' failed' : ''}`,
  );
}

describe('withEvents', () => {
  it('follows a step through its retries', () => {
    const steps = withEvents(new Map(), [
      workflow('a', 'started', 0, { input_data: { x: 1 } }),
      workflow('a', 'retrying', 100, { error: { type: 'E', message: 'm' } }),
      workflow('a', 'started', 300, { attempts: 2 }),
      workflow('a', 'completed', 350, { attempts: 2, output_data: 7, execution_time_ms: 50 }),
    ]);
    expect(steps.get('a')).toMatchObject({ status: 'completed', attempts: 2, output: 7, input: { x: 1 }, error: null });
    expect(spans(steps, 'a')).toEqual(['running 0–100 failed', 'running 300–350']);
  });

  it('tells waiting from working', () => {
    const steps = withEvents(new Map(), [
      workflow('ask', 'started', 0),
      workflow('ask', 'waiting', 10),
      workflow('ask', 'started', 500),
      workflow('ask', 'completed', 510),
    ]);
    expect(spans(steps, 'ask')).toEqual(['running 0–10', 'waiting 10–500', 'running 500–510']);
  });

  it('reads an agent, also where a beginning is missing', () => {
    const steps = withEvents(new Map(), [
      agent('m1', 'model', 'running', 0),
      agent('m1', 'model', 'completed', 40, { execution_time_ms: 40, output_data: { text: 'x' } }),
      agent('m1.t1', 'tool', 'failed', 90, {
        execution_time_ms: 30,
        metadata: { kind: 'tool', name: 'f', error: 'no' },
      }),
    ]);
    expect(spans(steps, 'm1')).toEqual(['running 0–40']);
    expect(spans(steps, 'm1.t1')).toEqual(['running 60–90 failed']);
    expect(steps.get('m1.t1')?.error).toEqual({ type: '', message: 'no' });
  });

  it('gives a skipped step no time, and changes nothing for other events', () => {
    const steps = withEvents(new Map(), [workflow('s', 'skipped', 5, { reason: 'when' })]);
    expect(steps.get('s')).toMatchObject({ status: 'skipped', reason: 'when', spans: [] });
    const other = { seq: ++seq, type: 'workflow.started', run_id: 'r', step_id: '', data: {} };
    expect(withEvents(steps, [other])).toBe(steps);
  });

  it('is the same in one go and event by event', () => {
    const events = [workflow('a', 'started', 0), workflow('b', 'started', 1), workflow('a', 'failed', 9)];
    const one: Steps = events.reduce<Steps>((steps, event) => withEvents(steps, [event]), new Map());
    expect([...one]).toEqual([...withEvents(new Map(), events)]);
  });
});

describe('settled', () => {
  it('ends what went on when the run ended', () => {
    const steps = settled(withEvents(new Map(), [workflow('a', 'started', 0)]), new Date(START + 70).toISOString());
    expect(steps.get('a')?.status).toBe('cancelled');
    expect(spans(steps, 'a')).toEqual(['running 0–70']);
  });

  it('leaves what has ended alone', () => {
    const steps = withEvents(new Map(), [workflow('a', 'started', 0), workflow('a', 'completed', 5)]);
    expect(settled(steps, new Date(START + 70).toISOString())).toBe(steps);
  });
});

describe('the timeline', () => {
  const ids = ['m1', 'm1.t1', 'm1.t1.a', 'each', 'each[0]', 'each[1]', 'lone.x', 'odd[3]'];
  const steps = withEvents(
    new Map<string, Step>(),
    ids.flatMap(id => [workflow(id, 'started', 0), workflow(id, id === 'each[1]' ? 'failed' : 'completed', 20)]),
  );

  it('puts each step behind the one that it is part of, and folds items', () => {
    expect(rowsOf(steps, new Set()).map(row => `${'>'.repeat(row.depth)}${row.step.id}`)).toEqual([
      'm1',
      '>m1.t1',
      '>>m1.t1.a',
      'each',
      'lone.x',
      'odd[3]',
    ]);
    const each = rowsOf(steps, new Set(['each'])).filter(row => row.step.id.startsWith('each'));
    expect(each.map(row => `${row.step.id} ${row.done}/${row.parts}`)).toEqual([
      'each 1/2',
      'each[0] 0/0',
      'each[1] 0/0',
    ]);
  });

  it('has an axis that holds every step and is never empty', () => {
    expect(axisOf(steps, START, START + 5, START + 5)).toEqual({ from: START, to: START + 20 });
    expect(axisOf(new Map(), START, START, START)).toEqual({ from: START, to: START + 1 });
  });

  it.each([
    [1, [0, 1]],
    [950, [0, 200, 400, 600, 800]],
    [2_100, [0, 500, 1000, 1500, 2000]],
    [400_000, [0, 120_000, 240_000, 360_000]],
  ])('marks %d ms', (length, ticks) => {
    expect(ticksOf(length, 6)).toEqual(ticks);
  });

  it('never has more marks than asked for', () => {
    for (let length = 1; length < 1e13; length *= 3) {
      expect(ticksOf(length, 6).length).toBeLessThanOrEqual(7);
    }
  });
});

describe('gist', () => {
  const of = (kind: string, fields: Record<string, unknown>): string =>
    [...withEvents(new Map(), [agent('s', kind, 'completed', 0, fields)]).values()].map(gist).join();

  it('is what a tool gave, and what a model asked for and wrote', () => {
    expect(of('tool', { output_data: 'two\nlines' })).toBe('two lines');
    expect(of('tool', { metadata: { kind: 'tool', name: 't', error: 'no such city' } })).toBe('no such city');
    const usage = { input_tokens: 0, output_tokens: 0 };
    const metadata = { kind: 'model', name: 'm', usage };
    expect(of('model', { metadata, output_data: { tool_calls: [{ name: 'lookup' }] } })).toBe('asks for lookup');
    expect(of('model', { metadata: { ...metadata, usage: { input_tokens: 1200, output_tokens: 7 } } })).toBe(
      '1.2k → 7 tokens',
    );
    expect(of('approval', { output_data: 'x' })).toBe('');
  });
});
