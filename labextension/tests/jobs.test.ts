import { describe, expect, it } from 'vitest';

import { ahead } from '../src/format';
import { typed, typeOf } from '../src/jobs/parameters';
import { cronInWords } from '../src/jobs/schedule';
import { withEvents } from '../src/live/steps';

describe('cronInWords', () => {
  it.each([
    ['* * * * *', 'every minute'],
    ['*/5 * * * *', 'every 5 minutes'],
    ['15 * * * *', 'every hour at :15'],
    ['0 6 * * *', 'every day at 06:00'],
    ['0 6 * * 1-5', 'Monday to Friday at 06:00'],
    ['30 2 * * 0,6', 'Sunday, Saturday at 02:30'],
    ['0 4 1 * *', 'on day 1 of each month at 04:00'],
    ['0 4 1 1 *', '0 4 1 1 *'],
    ['0 4 1 * 1', '0 4 1 * 1'],
    ['0 6-8 * * *', '0 6-8 * * *'],
    ['0 6 * * 1-9', '0 6 * * 1-9'],
    ['5 0 6 * * *', '5 0 6 * * *'],
  ])('%s is %s', (cron, words) => {
    expect(cronInWords(cron)).toBe(words);
  });
});

describe('ahead', () => {
  const now = Date.parse('2026-11-25T12:00:00Z');
  it.each([
    ['2026-11-25T11:59:00Z', 'due now'],
    ['2026-11-25T12:00:30Z', 'in a minute'],
    ['2026-11-25T12:05:00Z', 'in 5 min'],
    ['2026-11-26T06:00:00Z', 'in 18 h'],
    ['2026-11-30T12:00:00Z', 'in 5 d'],
    ['never', ''],
  ])('%s is %j', (at, text) => {
    expect(ahead(at, now)).toBe(text);
  });
});

describe('parameters', () => {
  it.each([
    [{ type: 'integer' }, '13', 13],
    [{ type: 'string' }, '13', '13'],
    [{}, '[1]', [1]],
    [undefined, 'a b', 'a b'],
  ])('%j makes %s', (schema, text, value) => {
    expect(typed(schema, text)).toEqual(value);
  });

  it('have a type in a word', () => {
    expect([
      typeOf({ type: 'integer' }),
      typeOf({ enum: ['a', 1] }),
      typeOf({ type: ['string', 'null'] }),
      typeOf({}),
    ]).toEqual(['integer', 'a | 1', 'string | null', 'any']);
  });
});

describe('cells of a job', () => {
  const event = (seq: number, type: string, data: object) => ({
    seq,
    type,
    run_id: 'job_1',
    step_id: 'cell 2',
    data: { timestamp: `2026-11-25T12:00:0${seq}Z`, source: 'print(1)', attempt: 1, ...data },
  });
  it('are steps', () => {
    const steps = withEvents(new Map(), [
      event(1, 'job.cell_started', { status: 'running' }),
      event(3, 'job.cell_failed', { status: 'failed', error: 'no', execution_time_ms: 2000 }),
    ]);
    const step = steps.get('cell 2');
    expect([step?.kind, step?.name, step?.status, step?.error?.message, step?.durationMs]).toEqual([
      'cell',
      'print(1)',
      'failed',
      'no',
      2000,
    ]);
    expect(step?.spans.map(span => span.failed)).toEqual([true]);
  });
});
