/** What a button in an output asks for; `text` is null where the text is that of the element around it. */
export type Action =
  | { kind: 'copy'; text: string | null }
  | { kind: 'cell'; source: string }
  | { kind: 'fetch'; model: string }
  | { kind: 'stop' };

/** The buttons in outputs that the extension answers. */
export const ACTION_BUTTONS = ['copy', 'cell', 'fetch', 'stop'].map(kind => `button[data-agentnb-${kind}]`).join();

/**
 * Reads what a button asks for from its `data-agentnb-*` attributes.
 *
 * An output that JupyterLab does not trust has lost these attributes, so its buttons ask for nothing.
 *
 * @param dataset - The button's data attributes.
 */
export function actionOf(dataset: Readonly<Record<string, string | undefined>>): Action | null {
  if (dataset.agentnbStop !== undefined) {
    return { kind: 'stop' };
  }
  if (dataset.agentnbCell !== undefined) {
    return { kind: 'cell', source: dataset.agentnbCell };
  }
  if (dataset.agentnbFetch) {
    return { kind: 'fetch', model: dataset.agentnbFetch };
  }
  if (dataset.agentnbCopy !== undefined) {
    return { kind: 'copy', text: dataset.agentnbCopy || null };
  }
  return null;
}
