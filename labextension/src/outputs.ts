import { Clipboard } from '@jupyterlab/apputils';
import { NotebookPanel } from '@jupyterlab/notebook';

/** How long a button shows that it has done its work, in milliseconds. */
const DONE_MS = 1500;

/**
 * The text that a copy button stands for: the value of the nearest `data-agentnb-text` attribute around it or, where that is
 * empty, the text of the element that bears it, without its buttons.
 */
export function textAround(button: Element): string {
  const holder = button.closest('[data-agentnb-text]');
  const value = holder?.getAttribute('data-agentnb-text');
  if (!holder || value) {
    return value ?? '';
  }
  const copy = holder.cloneNode(true) as Element;
  copy.querySelectorAll('button').forEach(inner => inner.remove());
  return (copy.textContent ?? '').trim();
}

/** Copies text to the system's clipboard and lets the button say so for a moment. */
export async function copyText(text: string, button: HTMLElement): Promise<void> {
  if (navigator.clipboard) {
    await navigator.clipboard.writeText(text).catch(() => Clipboard.copyToSystem(text));
  } else {
    Clipboard.copyToSystem(text); // a page that came over plain http has no navigator.clipboard
  }
  button.setAttribute('data-agentnb-done', '');
  window.setTimeout(() => button.removeAttribute('data-agentnb-done'), DONE_MS);
}

/**
 * Inserts a code cell below the one that holds the button, or below the active one, and starts editing it. It is not run.
 *
 * @param source - The new cell's text.
 * @param button - The button that was pressed.
 * @param panel - The notebook; nothing happens without one, or where it can't be written.
 */
export function insertCell(source: string, button: Element, panel: NotebookPanel | null): void {
  const model = panel?.content.model;
  if (!panel || !model || model.readOnly) {
    return;
  }
  const notebook = panel.content;
  const holder = notebook.widgets.findIndex(cell => cell.node.contains(button));
  const index = (holder < 0 ? notebook.activeCellIndex : holder) + 1;
  model.sharedModel.insertCell(index, { cell_type: 'code', source, metadata: { trusted: true } });
  notebook.activeCellIndex = index;
  notebook.deselectAll();
  notebook.mode = 'edit';
}
