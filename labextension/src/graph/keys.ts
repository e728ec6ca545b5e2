import { useEffect, type RefObject } from 'react';

/**
 * Keeps JupyterLab's shortcuts of single keys (`d d` cuts a cell) away from what has the focus inside; those with Ctrl or ⌘ go on.
 *
 * The mark has to be on the focused element itself: JupyterLab looks upwards only until one of its selectors fits.
 */
export function useOwnKeys(root: RefObject<HTMLElement | null>): void {
  useEffect(() => {
    const mark = (event: KeyboardEvent): void => {
      if (event.target instanceof Element && root.current?.contains(event.target)) {
        event.target.toggleAttribute('data-lm-suppress-shortcuts', !(event.ctrlKey || event.metaKey));
      }
    };
    window.addEventListener('keydown', mark, true);
    return () => window.removeEventListener('keydown', mark, true);
  }, [root]);
}
