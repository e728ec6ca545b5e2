/** The name of the kernelspec that is installed with agentnb; its kernels have loaded the extension. */
export const KERNEL_NAME = 'agentnb';

/** What a new agent notebook starts with: the magic, and a question to replace, to which small models give a short answer. */
export const FIRST_CELL = '%%agent --max-tokens 40\nWhat is the capital of France?';

/**
 * The kernel of a new agent notebook: agentnb's own or, where the server does not have it, the server's default.
 *
 * @param specs - The server's kernelspecs.
 */
export function kernelFor(
  specs: { default: string; kernelspecs: Readonly<Record<string, unknown>> } | null,
): string | undefined {
  return specs && !(KERNEL_NAME in specs.kernelspecs) ? specs.default : KERNEL_NAME;
}
