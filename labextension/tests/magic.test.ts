import { describe, expect, it } from 'vitest';

import { isMagicMimeType, MARKDOWN_MIME_TYPE, mimeTypeOf, YAML_MIME_TYPE } from '../src/magic';

const PYTHON = 'text/x-ipython';

describe('mimeTypeOf', () => {
  it.each([
    ['%%agent', 'the magic alone'],
    ['%%agent\nSay hello', 'a prompt below'],
    ['%%agent helper -m openai:gpt\nSay hello', 'arguments'],
    ['%%agent\thelper', 'a tab'],
    ['\n\n  %%agent\nSay hello', 'blank lines and indentation, which IPython drops'],
    ['%%agent\r\nSay hello', 'Windows line ends'],
  ])('is Markdown for %j: %s', source => {
    expect(mimeTypeOf(source, PYTHON)).toBe(MARKDOWN_MIME_TYPE);
  });

  it.each([
    ['', 'nothing'],
    ['%agent runs', 'a line magic'],
    ['%%agents\nx', 'another magic that begins alike'],
    ['%%agent-x', 'another magic'],
    ['%% agent', 'no magic'],
    ['# first\n%%agent', 'the magic not first'],
    ['%%time\n%%agent', 'the magic within another'],
    ['%%workflow flow', 'a workflow with nothing in it yet'],
    ['%%workflow flow\nwf.add("name", tool=f)', 'a workflow in Python'],
    ['%%constructor\nx', "a name that every object's prototype has"],
  ])("is the kernel's for %j: %s", source => {
    expect(mimeTypeOf(source, PYTHON)).toBe(PYTHON);
  });

  it.each([
    ['%%workflow\nname: x', 'a name'],
    ['%%workflow flow --run\n# why\nsteps:\n  a: {tool: b}', 'steps behind a comment'],
    ['%%workflow\n{"name": "x", "steps": {}}', 'JSON'],
  ])('is YAML for %j: %s', source => {
    expect(mimeTypeOf(source, PYTHON)).toBe(YAML_MIME_TYPE);
  });

  it('follows the kernel', () => {
    expect(mimeTypeOf('1 + 1', 'text/x-rsrc')).toBe('text/x-rsrc');
  });
});

describe('isMagicMimeType', () => {
  it('knows its own', () => {
    expect(isMagicMimeType(MARKDOWN_MIME_TYPE)).toBe(true);
    expect(isMagicMimeType(PYTHON)).toBe(false);
  });
});
