import { Notification } from '@jupyterlab/apputils';

import { asProblem, part, type Client } from '../api/client';
import { read, sectionOf } from './model';
import { freeName, rename } from './operations';
import type { EditorStore } from './store';
import { Draft } from './text/draft';
import { isRecord } from './text/rendering';

/**
 * Adds the steps of a template, and the agents and inputs that they need. An empty text becomes the template as it is, with its comments.
 */
export async function addTemplate(client: Client, store: EditorStore, name: string): Promise<void> {
  try {
    const found = await client.get<{ documents: Record<string, string> }>(`/templates/${part(name)}`);
    const text = Object.values(found.documents)[0] ?? '';
    const added = store.edit(draft => addDocument(draft, text));
    if (added) {
      store.select(added);
    }
  } catch (reason) {
    Notification.error(asProblem(reason).message);
  }
}

/**
 * Adds a document's steps to another one.
 *
 * @returns The name of the first step; empty where the kinds don't fit.
 */
export function addDocument(draft: Draft, text: string): string {
  const model = read(draft.text);
  if (!model.items.size) {
    draft.replace([{ from: 0, to: draft.text.length, text }]);
    return '';
  }
  const other = new Draft(text);
  if (read(text).kind !== model.kind) {
    Notification.warning(
      `A ${model.kind.replace('_', ' ')} can't take the steps of a ${read(text).kind.replace('_', ' ')}.`,
    );
    return '';
  }
  for (const id of read(text).items.keys()) {
    const free = freeName(model, id);
    if (free !== id) {
      rename(other, id, freeName(read(other.text), free));
    }
  }
  const { source } = other;
  const { data } = source;
  const section = sectionOf(model);
  for (const key of ['inputs', 'agents', section]) {
    const values = isRecord(data) && isRecord(data[key]) ? data[key] : {};
    for (const id of Object.keys(values)) {
      if (draft.at([key, id]) === undefined) {
        draft.copy(source, [key, id]);
      }
    }
  }
  return read(other.text).items.keys().next().value ?? '';
}
