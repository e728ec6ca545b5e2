import { describe, expect, it } from 'vitest';

import { folded, sideBySide } from '../src/runs/diffing';

function shown(a: string, b: string): string[] {
  return sideBySide(a, b).map(line => `${line.same ? '=' : '≠'}${line.a ?? '·'}|${line.b ?? '·'}`);
}

describe('sideBySide', () => {
  it('is all the same for the same', () => {
    expect(shown('a\nb', 'a\nb')).toEqual(['=a|a', '=b|b']);
    expect(shown('', '')).toEqual([]);
  });

  it('puts what both have beside each other', () => {
    expect(shown('a\nb\nc', 'a\nx\nc')).toEqual(['=a|a', '≠b|x', '=c|c']);
    expect(shown('a\nc', 'a\nb\nc')).toEqual(['=a|a', '≠·|b', '=c|c']);
    expect(shown('x\na\ny\nb', 'a\nz\nb\nw')).toEqual(['≠x|·', '=a|a', '≠y|z', '=b|b', '≠·|w']);
  });

  it('shows one side alone', () => {
    expect(shown('', 'a\nb')).toEqual(['≠·|a', '≠·|b']);
    expect(shown('a', '')).toEqual(['≠a|·']);
  });

  it('loses no line of long texts', () => {
    const many = Array.from({ length: 3000 }, (_, place) => `line ${place.toString()}`);
    const lines = sideBySide(['x', ...many, 'y'].join('\n'), ['z', ...many.toReversed(), 'w'].join('\n'));
    expect(lines.filter(line => line.a !== null)).toHaveLength(3002);
    expect(lines.filter(line => line.b !== null)).toHaveLength(3002);
  });
});

describe('folded', () => {
  it('folds what is far from a difference', () => {
    const lines = sideBySide('1\n2\n3\n4\n5\n6\n7\n8', '1\n2\n3\n4\n5\n6\n7\nX');
    expect(folded(lines, 1).map(line => (typeof line === 'number' ? line : line.a))).toEqual([6, '7', '8']);
    expect(folded(sideBySide('a\nb', 'a\nb'))).toEqual([2]);
  });
});
