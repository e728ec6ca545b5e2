import { describe, expect, it } from 'vitest';

import { Message, reader } from '../src/api/sse';

function read(text: string, size: number, lastId = ''): Message[] {
  const found: Message[] = [];
  const take = reader(lastId, message => found.push(message));
  for (let start = 0; start < text.length; start += size) {
    take(text.slice(start, start + size));
  }
  return found;
}

const STREAM =
  ': hello\n\nid: 4\nevent: agent.executed\ndata: {"a":\ndata: 1}\n\nid: 5\r\ndata: x\r\n\r\nevent: delta\ndata: y\n\n';

describe('reader', () => {
  it.each([1, 2, 3, 7, 1000])('reads the same in pieces of %d', size => {
    expect(read(STREAM, size)).toEqual([
      { event: 'agent.executed', data: '{"a":\n1}', id: '4' },
      { event: 'message', data: 'x', id: '5' },
      { event: 'delta', data: 'y', id: '5' },
    ]);
  });

  it('goes on from an ID, and leaves out what has no data or no end', () => {
    expect(read('event: ping\n\ndata: a\n\ndata: cut', 5, '9')).toEqual([{ event: 'message', data: 'a', id: '9' }]);
  });
});
