import { Client } from '../api/client';
import { useCallback } from 'react';

import { useLoaded } from '../live/hooks';
import { useServices } from './services';

interface Me {
  user: string;
  permissions: { action: string; resource: string; allowed: boolean }[];
}

const asked = new WeakMap<Client, Promise<Me>>();

/** Whether the user may do something with a resource; what isn't known yet may be tried, the server decides. */
export function useMay(action: string, resource: string): boolean {
  const { client } = useServices();
  const load = useCallback(() => {
    const found = asked.get(client) ?? client.get<Me>('/me');
    asked.set(client, found);
    found.catch(() => asked.delete(client));
    return found;
  }, [client]);
  const { value } = useLoaded(load);
  const found = value?.permissions.find(rule => rule.action === action && rule.resource === `agentnb.${resource}`);
  return found?.allowed ?? true;
}
