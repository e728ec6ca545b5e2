import { createContext, useContext, useSyncExternalStore } from 'react';

import type { EditorState, EditorStore } from './store';

export const StoreContext = createContext<EditorStore | null>(null);

export function useStore(): EditorStore {
  const store = useContext(StoreContext);
  if (!store) {
    throw new Error('the editor is drawn outside its document');
  }
  return store;
}

/** What the editor shows, as it changes. */
export function useEditor(store: EditorStore): EditorState {
  return useSyncExternalStore(store.subscribe, store.state);
}
