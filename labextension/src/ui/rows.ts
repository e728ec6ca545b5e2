import { RefCallback, useCallback, useEffect, useRef, useState } from 'react';

/** The part of a long list that is to be drawn. */
export interface Rows {
  /** Goes on the element that scrolls. */
  ref: RefCallback<HTMLElement>;
  first: number;
  last: number;
  /** Brings a row into view. */
  reveal: (index: number) => void;
}

/** Rows that are drawn beyond the edges, so that a quick scroll shows no gap. */
const BEYOND = 10;

/**
 * Which rows of a list are in view; all have the same height.
 *
 * @param count - How many there are.
 * @param height - Of one row, in pixels.
 * @param above - Pixels in the scrolled element above the first row.
 */
export function useRows(count: number, height: number, above = 0): Rows {
  const [view, setView] = useState({ top: 0, height: 800 });
  const element = useRef<HTMLElement | null>(null);
  const [node, setNode] = useState<HTMLElement | null>(null);
  const ref = useCallback((found: HTMLElement | null) => {
    element.current = found;
    setNode(found);
  }, []);
  useEffect(() => {
    if (!node) {
      return;
    }
    const look = (): void => {
      const next = { top: node.scrollTop, height: node.clientHeight };
      setView(old =>
        Math.floor(old.top / height) === Math.floor(next.top / height) && old.height === next.height ? old : next,
      );
    };
    const observer = new ResizeObserver(look);
    observer.observe(node);
    node.addEventListener('scroll', look, { passive: true });
    look();
    return () => {
      observer.disconnect();
      node.removeEventListener('scroll', look);
    };
  }, [node, height]);
  const first = Math.max(0, Math.min(count, Math.floor((view.top - above) / height) - BEYOND));
  const last = Math.min(count, Math.ceil((view.top - above + view.height) / height) + BEYOND);
  const reveal = useCallback(
    (index: number) => {
      const box = element.current;
      const top = above + index * height;
      if (box && top < box.scrollTop + above) {
        box.scrollTop = top - above;
      } else if (box && top + height > box.scrollTop + box.clientHeight) {
        box.scrollTop = top + height - box.clientHeight;
      }
    },
    [height, above],
  );
  return { ref, first, last: Math.max(first, last), reveal };
}
