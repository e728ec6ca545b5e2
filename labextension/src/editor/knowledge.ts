import { useCallback } from 'react';

import type { Client } from '../api/client';
import { useLoaded } from '../live/hooks';
import { NOTHING_KNOWN, type Known } from './palette';
import type { Schema } from './schema';

interface AgentsAnswer {
  agents: { name: string; instructions: string; tools: string[] }[];
}

/** What the server knows of agents, workflows and templates; what can't be had is left out. */
export function useKnown(client: Client): Known {
  const load = useCallback(
    async (signal: AbortSignal): Promise<Known> => {
      const get = <T>(path: string, otherwise: T): Promise<T> =>
        client.get<T>(path, {}, signal).catch((reason: unknown) => {
          if (signal.aborted) {
            throw reason;
          }
          return otherwise;
        });
      const [agents, workflows, templates] = await Promise.all([
        get<AgentsAnswer>('/agents', { agents: [] }),
        get<{ workflows: { name: string }[] }>('/workflows', { workflows: [] }),
        get<{ templates: Known['templates'] }>('/templates', { templates: [] }),
      ]);
      const unique = new Map(agents.agents.map(one => [one.name, one]));
      return {
        agents: [...unique.values()],
        workflows: workflows.workflows.map(one => one.name),
        templates: templates.templates,
      };
    },
    [client],
  );
  return useLoaded(load).value ?? NOTHING_KNOWN;
}

let schemas = new WeakMap<Client, Promise<Schema>>();

/** The JSON Schema of workflows; null while it isn't there. */
export function useSchema(client: Client): Schema | null {
  const load = useCallback((): Promise<Schema> => {
    const asked =
      schemas.get(client) ?? client.get<{ schema: Schema }>('/documents/schema').then(answer => answer.schema);
    schemas.set(client, asked);
    asked.catch(() => {
      schemas = new WeakMap();
    });
    return asked;
  }, [client]);
  return useLoaded(load).value;
}
