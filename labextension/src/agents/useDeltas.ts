import { useEffect, useState } from 'react';

import { part } from '../api/client';
import { follow } from '../api/follow';
import { Delta, JournalEvent } from '../api/types';
import { useServices } from '../panels/services';

/** Milliseconds between two drawings of a text that grows: ten a second. */
const FRAME = 100;

/**
 * The text of an answer that is being written, as far as it has come; empty where the run does not go on.
 *
 * @param active - Whether it goes on.
 */
export function useDeltas(runId: string, active: boolean): string {
  const { client } = useServices();
  const [text, setText] = useState('');
  useEffect(() => {
    if (!active) {
      return;
    }
    const stop = new AbortController();
    let whole = '';
    let timer = 0;
    const soon = (): void => {
      timer ||= window.setTimeout(() => {
        timer = 0;
        setText(whole);
      }, FRAME);
    };
    const path = `/runs/${part(runId)}/events/stream`;
    const nothing = (): void => undefined; // the line above the panel says how it stands with the server
    void follow(
      client,
      path,
      {},
      '',
      {
        onOpen: nothing,
        onLost: nothing,
        onRefused: nothing,
        onMessage: message => {
          const next = textAfter(whole, message.event, message.data);
          if (next !== whole) {
            whole = next;
            soon();
          }
        },
      },
      stop.signal,
    );
    return () => {
      stop.abort();
      window.clearTimeout(timer);
      setText('');
    };
  }, [client, runId, active]);
  return text;
}

/** The text after a message of the run's stream: what is said before a tool is called is no part of the answer. */
export function textAfter(text: string, event: string, data: string): string {
  if (event === 'delta') {
    const delta = JSON.parse(data) as Delta;
    return delta.text === null ? '' : text + delta.text;
  }
  if (event === 'agent.model_called') {
    const { output_data: output } = (JSON.parse(data) as JournalEvent).data as {
      output_data?: { tool_calls?: unknown[] };
    };
    return output?.tool_calls?.length ? '' : text;
  }
  return text;
}
