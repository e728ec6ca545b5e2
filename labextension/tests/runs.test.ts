import { describe, expect, it } from 'vitest';

import { JournalEvent, Run } from '../src/api/types';
import { afterEvents, newestFirst, Runs, tookMs, withoutRuns, withRuns } from '../src/live/runs';
import { textAfter } from '../src/agents/useDeltas';

function run(id: string, fields: Partial<Run> = {}): Run {
  return {
    id,
    kind: 'agent',
    name: 'helper',
    status: 'running',
    reason: '',
    agent_id: '',
    session: '',
    user: '',
    parent: '',
    job: '',
    started_at: '2026-11-25T12:00:00.000000Z',
    ended_at: '',
    error: null,
    usage: {},
    ...fields,
  };
}

function event(type: string, data: Record<string, unknown> = {}): JournalEvent {
  return { seq: 1, type, run_id: 'a', step_id: '', data: { timestamp: '2026-11-25T12:00:05.000000Z', ...data } };
}

const known: Runs = new Map([['a', run('a')]]);

describe('runs', () => {
  it('keep the same object where nothing has changed', () => {
    expect(withRuns(known, [run('a')])).toBe(known);
    expect(withoutRuns(known, ['b'])).toBe(known);
    expect(afterEvents(known, [event('agent.model_called')])).toBe(known);
    expect(withRuns(known, [run('a', { usage: { cost: 1 } })])).not.toBe(known);
  });

  it.each([
    ['agent.approval_requested', {}, 'waiting', ''],
    ['agent.executed', {}, 'completed', '2026-11-25T12:00:05.000000Z'],
    ['agent.failed', { status: 'failed' }, 'failed', '2026-11-25T12:00:05.000000Z'],
    ['agent.failed', { status: 'cancelled' }, 'cancelled', '2026-11-25T12:00:05.000000Z'],
    ['workflow.step_waiting', {}, 'waiting', ''],
  ])('after %s %j are %s', (type, data, status, ended) => {
    expect(afterEvents(known, [event(type, data)]).get('a')).toMatchObject({ status, ended_at: ended });
  });

  it('that have ended stay so, and others are not made up', () => {
    const ended: Runs = new Map([['a', run('a', { status: 'cancelled' })]]);
    expect(afterEvents(ended, [event('workflow.started')])).toBe(ended);
    expect(afterEvents(new Map(), [event('agent.executing')]).size).toBe(0);
  });

  it('are sorted by time, then by ID, and know how long they took', () => {
    const later = run('c', { started_at: '2026-11-25T12:00:01.000000Z' });
    expect([run('a'), later, run('b')].sort(newestFirst).map(found => found.id)).toEqual(['c', 'b', 'a']);
    expect(tookMs(run('a', { ended_at: '2026-11-25T12:00:02.500000Z' }), 0)).toBe(2500);
    expect(tookMs(run('a'), Date.parse('2026-11-25T11:59:00Z'))).toBe(0);
    const now = Date.parse('2026-11-28T12:00:00Z');
    expect(tookMs(run('a', { status: 'waiting' }), now)).toBeNull();
    expect(tookMs(run('a', { status: 'queued' }), now)).toBeNull();
    expect(tookMs(run('a', { status: 'failed', reason: 'lost', ended_at: '2026-11-25T12:00:02.5Z' }), now)).toBe(2500);
  });
});

describe('textAfter', () => {
  it('grows with each piece, and begins anew where the model does', () => {
    const pieces = ['It ', 'is ', null, 'So it is'];
    const text = pieces.reduce<string>(
      (whole, piece) => textAfter(whole, 'delta', JSON.stringify({ run_id: 'a', text: piece })),
      '',
    );
    expect(text).toBe('So it is');
  });

  it('forgets what was said before a tool was called', () => {
    const called = (calls: unknown[]): string =>
      JSON.stringify(event('agent.model_called', { output_data: { tool_calls: calls } }));
    expect(textAfter('I look', 'agent.model_called', called([{}]))).toBe('');
    expect(textAfter('Done', 'agent.model_called', called([]))).toBe('Done');
    expect(textAfter('Done', 'agent.executed', '{}')).toBe('Done');
  });
});
