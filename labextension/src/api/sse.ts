/** One message of a stream of Server-Sent Events. */
export interface Message {
  event: string;
  data: string;
  /** The last ID that the stream has named, this message's included; empty for none. */
  id: string;
}

/**
 * Reads Server-Sent Events from pieces of text, however they are cut.
 *
 * @param lastId - The ID to begin with, where the stream goes on.
 * @param onMessage - Is given each message.
 * @returns A function that takes the next piece.
 */
export function reader(lastId: string, onMessage: (message: Message) => void): (piece: string) => void {
  let rest = '';
  let id = lastId;
  let event = '';
  let data: string[] = [];

  const line = (text: string): void => {
    if (text === '') {
      if (data.length) {
        onMessage({ event: event || 'message', data: data.join('\n'), id });
      }
      event = '';
      data = [];
      return;
    }
    const colon = text.indexOf(':');
    const field = colon < 0 ? text : text.slice(0, colon);
    const value = colon < 0 ? '' : text.slice(colon + 1).replace(/^ /, '');
    if (field === 'data') {
      data.push(value);
    } else if (field === 'event') {
      event = value;
    } else if (field === 'id' && !value.includes('\0')) {
      id = value;
    }
  };

  return piece => {
    const lines = (rest + piece).split(/\r\n|\n|\r(?!$)/);
    rest = lines.pop() ?? '';
    lines.forEach(line);
  };
}
