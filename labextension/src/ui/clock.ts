import { useSyncExternalStore } from 'react';

/** One timer for all that shows the time; it stands still while nobody looks. */
class Clock {
  private readonly listeners = new Set<() => void>();
  private timer = 0;
  private moment = Date.now();

  readonly now = (): number => this.moment;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (!this.timer) {
      this.timer = window.setInterval(() => this.tick(), 1000);
      this.moment = Date.now();
    }
    return () => {
      this.listeners.delete(listener);
      if (!this.listeners.size) {
        window.clearInterval(this.timer);
        this.timer = 0;
      }
    };
  };

  private tick(): void {
    if (!document.hidden) {
      this.moment = Date.now();
      this.listeners.forEach(listener => listener());
    }
  }
}

const clock = new Clock();
const never = (): (() => void) => () => undefined;

/** Milliseconds since the epoch, a second old at most; with `running` false it stands still. */
export function useNow(running = true): number {
  return useSyncExternalStore(running ? clock.subscribe : never, clock.now);
}
