import { asProblem, Client, Problem, Query } from './client';
import { Message, reader } from './sse';

/** How long to wait before the next try, in milliseconds: the last one holds for all that follow. */
const PAUSES = [250, 500, 1000, 2000, 4000];

/** A stream that says nothing for so long is dead, in milliseconds; the server sends a sign of life far more often. */
const SILENCE = 45_000;

/** What a stream tells of itself. */
export interface Follower {
  onMessage: (message: Message) => void;
  /** It is open: the first time, or again. */
  onOpen: () => void;
  /** It broke off, and is tried again. */
  onLost: (problem: Problem) => void;
  /** It can't be had, and is not tried again: no permission, or nothing there. */
  onRefused: (problem: Problem) => void;
}

/**
 * Follows a stream of events for as long as the signal allows; it reconnects, and goes on behind the last event that it saw.
 *
 * EventSource can't send the token, so the stream is read from a fetch.
 *
 * @param lastId - The event to begin behind; empty for what comes from now on.
 */
export async function follow(
  client: Client,
  path: string,
  query: Query,
  lastId: string,
  follower: Follower,
  signal: AbortSignal,
): Promise<void> {
  let id = lastId;
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      await readOnce(client, path, query, id, signal, {
        ...follower,
        onOpen: () => {
          tries = 0;
          follower.onOpen();
        },
        onMessage: message => {
          id = message.id;
          follower.onMessage(message);
        },
      });
    } catch (reason) {
      if (signal.aborted) {
        return;
      }
      const problem = asProblem(reason);
      if (problem.status >= 400 && problem.status < 500 && problem.status !== 408 && problem.status !== 429) {
        follower.onRefused(problem);
        return;
      }
      follower.onLost(problem);
    }
    await pause(PAUSES[Math.min(tries, PAUSES.length - 1)] ?? 0, signal);
  }
}

async function readOnce(
  client: Client,
  path: string,
  query: Query,
  id: string,
  signal: AbortSignal,
  follower: Follower,
): Promise<void> {
  const own = new AbortController();
  const stop = (): void => own.abort();
  signal.addEventListener('abort', stop);
  let watchdog = window.setTimeout(stop, SILENCE);
  try {
    const headers: Record<string, string> = { Accept: 'text/event-stream' };
    if (id) {
      headers['Last-Event-ID'] = id;
    }
    const response = await client.request(path, query, { method: 'GET', headers, signal: own.signal });
    if (!response.body) {
      throw new Problem(0, 'The server sent no stream', '');
    }
    follower.onOpen();
    const take = reader(id, follower.onMessage);
    const pieces = response.body.pipeThrough(new TextDecoderStream()).getReader();
    for (;;) {
      const { done, value } = await pieces.read();
      if (done) {
        throw new Problem(0, 'The stream has ended', '');
      }
      window.clearTimeout(watchdog);
      watchdog = window.setTimeout(stop, SILENCE);
      take(value);
    }
  } finally {
    window.clearTimeout(watchdog);
    signal.removeEventListener('abort', stop);
    own.abort();
  }
}

/** Waits, or until the network is back, or until the signal says stop. */
function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const done = (): void => {
      window.clearTimeout(timer);
      window.removeEventListener('online', done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    const timer = window.setTimeout(done, milliseconds);
    window.addEventListener('online', done);
    signal.addEventListener('abort', done);
  });
}
