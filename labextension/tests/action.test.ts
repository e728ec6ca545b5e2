import { describe, expect, it } from 'vitest';

import { actionOf } from '../src/action';

describe('actionOf', () => {
  it('is nothing for a button that lost its attributes', () => {
    expect(actionOf({})).toBeNull();
    expect(actionOf({ status: 'running' })).toBeNull();
  });

  it('copies the text around where it has none of its own', () => {
    expect(actionOf({ agentnbCopy: '' })).toEqual({ kind: 'copy', text: null });
    expect(actionOf({ agentnbCopy: 'abc' })).toEqual({ kind: 'copy', text: 'abc' });
  });

  it('makes a cell of its text, an empty one as well', () => {
    expect(actionOf({ agentnbCell: 'x = 1\ny = 2' })).toEqual({ kind: 'cell', source: 'x = 1\ny = 2' });
    expect(actionOf({ agentnbCell: '' })).toEqual({ kind: 'cell', source: '' });
  });

  it('fetches a model that has a name', () => {
    expect(actionOf({ agentnbFetch: 'openvino:small' })).toEqual({ kind: 'fetch', model: 'openvino:small' });
    expect(actionOf({ agentnbFetch: '' })).toBeNull();
  });

  it('stops rather than does anything else', () => {
    expect(actionOf({ agentnbStop: '', agentnbCell: 'x' })).toEqual({ kind: 'stop' });
  });
});
