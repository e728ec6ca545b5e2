import { useCallback, useEffect } from 'react';

import { Model } from '../api/types';
import { useLoaded } from '../live/hooks';
import { said } from '../runs/actions';
import { useServices } from '../panels/services';

/** Milliseconds between two readings of how far a model is. */
const REREAD = 500;

/** A model of the server's machine, and what can be done about one that is missing. */
export interface ModelHere {
  /** Null where it isn't known yet, or no provider lists it. */
  model: Model | null;
  fetch: () => void;
  cancel: () => void;
}

/**
 * A model, as it is while it is fetched.
 *
 * @param name - `provider:model`; the one of agents that name none where it is empty; null asks for none.
 */
export function useModel(name: string | null): ModelHere {
  const { client } = useServices();
  const load = useCallback(
    async (signal: AbortSignal) => {
      const found = name === null ? [] : (await client.get<{ models: Model[] }>('/models', {}, signal)).models;
      return { model: found.find(one => (name ? one.name === name : one.default)) ?? null };
    },
    [client, name],
  );
  const { value, problem, reload } = useLoaded(load);
  const model = value?.model ?? null;
  const going = model?.pull?.status === 'running';
  useEffect(() => {
    const timer = going ? window.setTimeout(reload, REREAD) : 0;
    return () => window.clearTimeout(timer);
  }, [going, value, problem, reload]);
  const ask = (path: string): void =>
    void said(async () => {
      await client.post(path, { model: model?.name });
      reload();
    });
  return { model, fetch: () => ask('/models/pull'), cancel: () => ask('/models/pull/cancel') };
}
