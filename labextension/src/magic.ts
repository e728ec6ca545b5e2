/** The MIME type of JupyterLab's own Markdown cells: Markdown with code and formulas. */
export const MARKDOWN_MIME_TYPE = 'text/x-ipythongfm';

export const YAML_MIME_TYPE = 'text/x-yaml';

/** Cell magics whose body is not in the kernel's language, and what it is in. */
const MIME_TYPES = new Map([
  ['agent', MARKDOWN_MIME_TYPE],
  ['workflow', YAML_MIME_TYPE],
]);

/** A top-level key of a workflow document: a cell without one holds Python. */
const WORKFLOW_KEY = /^[\s{]*["']?(name|steps|states)["']?\s*:/m;

/** IPython drops blank lines and indentation above a cell magic, so they are allowed here as well. */
const CELL_MAGIC = /^\s*%%([A-Za-z_]\w*)(?=\s|$)/;

/**
 * The MIME type that a code cell is edited in.
 *
 * @param source - The cell's text.
 * @param kernelMimeType - The MIME type of the kernel's language.
 */
export function mimeTypeOf(source: string, kernelMimeType: string): string {
  const name = CELL_MAGIC.exec(source)?.[1] ?? '';
  if (name === 'workflow' && !WORKFLOW_KEY.test(source)) {
    return kernelMimeType;
  }
  return MIME_TYPES.get(name) ?? kernelMimeType;
}

/** Whether a code cell has this MIME type because of its magic. */
export function isMagicMimeType(mimeType: string): boolean {
  return [...MIME_TYPES.values()].includes(mimeType);
}
