import { createContext, useCallback, useContext, useSyncExternalStore } from 'react';

import { EMPTY } from './state';
import type { GraphState, NodeState } from './types';

/** How often the times of what runs are written anew, in milliseconds. */
const TICK_MS = 250;

/**
 * What the boxes and lines on the screen read. They are told when something is different, and each looks whether that concerns it: so a
 * change draws one box anew, not the graph.
 */
export class Live {
  state: GraphState = EMPTY;
  now = Date.now();
  selected = '';
  /** Paths that the search has found; null without a search. */
  found: ReadonlySet<string> | null = null;
  /** Lines of the critical path. */
  private critical: { path: string[]; pairs: Set<string> } = { path: [], pairs: new Set() };
  private readonly listeners = new Set<() => void>();
  private readonly clocks = new Set<() => void>();
  private timer: number | undefined;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  /** Is told of the time as well, while somebody listens. */
  readonly tick = (listener: () => void): (() => void) => {
    this.clocks.add(listener);
    this.timer ??= window.setInterval(() => {
      this.now = Date.now();
      this.clocks.forEach(told => told());
    }, TICK_MS);
    return () => {
      this.clocks.delete(listener);
      if (!this.clocks.size) {
        window.clearInterval(this.timer);
        this.timer = undefined;
      }
    };
  };

  set(change: Partial<Pick<Live, 'state' | 'selected' | 'found'>>): void {
    Object.assign(this, change);
    this.now = Date.now();
    this.listeners.forEach(told => told());
  }

  isCritical(source: string, target: string): boolean {
    const path = this.state.run?.path ?? [];
    if (path !== this.critical.path) {
      this.critical = { path, pairs: new Set(path.slice(1).map((name, place) => `${path[place] ?? ''}\n${name}`)) };
    }
    return this.critical.pairs.has(`${source}\n${target}`);
  }
}

export const LiveContext = createContext(new Live());

/** Something of what is live; `select` must give the same value where nothing is different. */
export function useLive<Value>(select: (live: Live) => Value): Value {
  const live = useContext(LiveContext);
  return useSyncExternalStore(live.subscribe, () => select(live));
}

export function useNodeState(path: string): NodeState | undefined {
  return useLive(useCallback((live: Live) => live.state.steps[path], [path]));
}

/** The time, which goes on while `ticking`, until the run's end. */
export function useNow(ticking: boolean): number {
  const live = useContext(LiveContext);
  const subscribe = ticking ? live.tick : live.subscribe;
  return useSyncExternalStore(subscribe, () => {
    const { run } = live.state;
    return (run ? run.ended_at : 0) || live.now;
  });
}
