import { describe, expect, it } from 'vitest';

import { Filterable, parseFilter, toggleWord, wordsOf } from '../src/runs/filter';

const NOW = new Date(2026, 10, 25, 12).getTime();

function run(fields: Partial<Filterable> = {}): Filterable {
  return {
    id: 'exec_1a2b',
    kind: 'agent',
    name: 'helper',
    status: 'completed',
    reason: '',
    user: 'ann',
    session: 'chat',
    started_at: new Date(2026, 10, 25, 9).toISOString(),
    ...fields,
  };
}

function accepts(text: string, fields: Partial<Filterable> = {}): boolean {
  return parseFilter(text, NOW).accepts(run(fields));
}

describe('parseFilter', () => {
  it('lets everything pass while it is empty', () => {
    expect(parseFilter('  ', NOW)).toMatchObject({ query: {}, problem: '' });
    expect(accepts('')).toBe(true);
  });

  it('reads the words of the design', () => {
    const text = 'status:failed agent:helper today';
    expect(accepts(text, { status: 'failed' })).toBe(true);
    expect(accepts(text)).toBe(false);
    expect(accepts(text, { status: 'failed', name: 'other' })).toBe(false);
    expect(accepts(text, { status: 'failed', kind: 'workflow' })).toBe(false);
    expect(accepts(text, { status: 'failed', started_at: new Date(2026, 10, 24, 23, 59).toISOString() })).toBe(false);
    expect(parseFilter(text, NOW).query).toEqual({
      status: 'failed',
      kind: 'agent',
      since: new Date(2026, 10, 25).toISOString(),
    });
  });

  it.each([
    ['status:fa', { status: 'failed' }, true],
    ['status:failed,waiting', { status: 'waiting' }, true],
    ['status:failed,waiting', { status: 'running' }, false],
    ['-status:completed', {}, false],
    ['-status:completed', { status: 'failed' }, true],
    ['HELP', {}, true],
    ['nothing', {}, false],
    ['1a2b', {}, true],
    ['id:2b', {}, true],
    ['id:1a2', {}, false],
    ['user:an', {}, true],
    ['reason:lost', { reason: 'lost' }, true],
    ['yesterday', {}, false],
    ['yesterday', { started_at: new Date(2026, 10, 24, 1).toISOString() }, true],
    ['2h', {}, false],
    ['4h', {}, true],
    ['workflow:flow', { kind: 'workflow', name: 'My flow' }, true],
    ['workflow:"my flow"', { kind: 'workflow', name: 'My flow' }, true],
    ['status:', {}, true],
    ['kind:work', { kind: 'workflow' }, true],
  ] as const)('%j on %j: %j', (text, fields, passes) => {
    expect(accepts(text, fields)).toBe(passes);
  });

  it('asks the server only for what it can look for', () => {
    expect(parseFilter('status:failed,waiting -kind:agent helper', NOW).query).toEqual({});
    expect(parseFilter('-today', NOW).query).toEqual({});
  });

  it('says what it does not know, and goes by the rest', () => {
    expect(parseFilter('stauts:failed', NOW).problem).toContain('there is no stauts:');
    expect(parseFilter('status:broken', NOW).problem).toContain('there is no status broken');
    expect(parseFilter('stauts:failed status:failed', NOW).accepts(run())).toBe(false);
  });
});

describe('words', () => {
  it('holds what stands in quotes together', () => {
    expect(wordsOf(' a "b c"  name:"d e" "f')).toEqual(['a', 'b c', 'name:d e', 'f']);
  });

  it('puts a word in and takes it out', () => {
    expect(toggleWord('today', 'status:failed')).toBe('today status:failed');
    expect(toggleWord('today status:failed', 'status:failed')).toBe('today');
  });
});
