import { describe, expect, it } from 'vitest';

import { ago, change, clock, compact, count, duration, left, megabytes, money, plural, shortId } from '../src/format';

describe('duration', () => {
  it.each([
    [0, '0 ms'],
    [820, '820 ms'],
    [999.4, '999 ms'],
    [999.6, '1.0 s'],
    [12_400, '12.4 s'],
    [59_940, '59.9 s'],
    [59_960, '1 m 00 s'],
    [185_000, '3 m 05 s'],
    [7_380_000, '2 h 03 m'],
  ])('%d ms is %j', (milliseconds, text) => {
    expect(duration(milliseconds)).toBe(text);
  });
});

it('says the size of a download', () => {
  expect(megabytes(92_871_040)).toBe('93 MB');
});

describe('count', () => {
  it.each([
    [0, '0'],
    [950, '950'],
    [1_234, '1.2k'],
    [999_960, '1.0M'],
    [3_400_000, '3.4M'],
  ])('%d is %j', (number, text) => {
    expect(count(number)).toBe(text);
  });

  it('says one or many', () => {
    expect([plural(1, 'call'), plural(0, 'call'), plural(1200, 'token')]).toEqual(['1 call', '0 calls', '1.2k tokens']);
  });
});

describe('times', () => {
  const now = Date.parse('2026-11-25T12:00:00Z');

  it.each([
    ['2026-11-25T11:59:50Z', 'just now'],
    ['2026-11-25T12:00:10Z', 'just now'],
    ['2026-11-25T11:55:00Z', '5 min ago'],
    ['2026-11-25T09:00:00Z', '3 h ago'],
    ['2026-11-23T12:00:00Z', '2 d ago'],
    ['', ''],
  ])('%j was %j', (timestamp, text) => {
    expect(ago(timestamp, now)).toBe(text);
  });

  it('counts down to a deadline', () => {
    expect(left(now / 1000 + 250, now)).toBe('4 m 10 s left');
    expect(left(now / 1000 + 2.3, now)).toBe('3.0 s left');
    expect(left(now / 1000 - 1, now)).toBe('overdue');
  });

  it('is empty for what is no time', () => {
    expect(clock('never')).toBe('');
    expect(clock('2026-11-25T12:00:00.007Z')).toMatch(/^\d\d:00:00\.007$/);
  });
});

describe('amounts', () => {
  it('says how much more', () => {
    expect([change(300, duration), change(-120, count), change(0, count), change(-0.2, duration)]).toEqual([
      '+300 ms',
      '−120',
      '±0',
      '±0',
    ]);
    expect([money(0.00125), money(null), money(undefined)]).toEqual(['$0.0013', '–', '–']);
  });

  it('shortens values to a line', () => {
    expect(compact('a\n  b')).toBe('a b');
    expect(compact({ a: [1] })).toBe('{"a":[1]}');
    expect(compact('x'.repeat(500), 10)).toBe(`${'x'.repeat(10)}…`);
    expect(compact(null)).toBe('');
    expect(shortId('exec_20261125_155813_9f3a12')).toBe('…9f3a12');
  });
});
