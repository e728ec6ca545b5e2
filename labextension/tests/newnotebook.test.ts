import { describe, expect, it } from 'vitest';

import { mimeTypeOf, MARKDOWN_MIME_TYPE } from '../src/magic';
import { FIRST_CELL, kernelFor } from '../src/newnotebook';

describe('kernelFor', () => {
  it('is our own where the server has it', () => {
    expect(kernelFor({ default: 'python3', kernelspecs: { python3: {}, agentnb: {} } })).toBe('agentnb');
  });

  it("is the server's default where it has not", () => {
    expect(kernelFor({ default: 'python3', kernelspecs: { python3: {} } })).toBe('python3');
  });

  it('is our own where the server has not said yet what it has', () => {
    expect(kernelFor(null)).toBe('agentnb');
  });
});

describe('FIRST_CELL', () => {
  it('is edited as Markdown', () => {
    expect(mimeTypeOf(FIRST_CELL, 'text/x-ipython')).toBe(MARKDOWN_MIME_TYPE);
  });
});
