import { asProblem, Client, part, Problem } from '../api/client';
import { follow } from '../api/follow';
import { Message } from '../api/sse';
import { JournalEvent, Run, RunDetail, RunPage } from '../api/types';
import { afterEvents, Runs, withoutRuns, withRuns } from './runs';

/** How the page stands with the server. */
export type Connection =
  | { state: 'connecting' }
  | { state: 'live' }
  | { state: 'lost'; since: number }
  | { state: 'refused'; problem: Problem };

export interface LiveState {
  connection: Connection;
  /** The runs that are known, by their ID. */
  runs: Runs;
  /** Runs that were deleted since the page was opened. */
  deleted: ReadonlySet<string>;
}

/** Milliseconds between two drawings at least: ten a second; the first after a pause is at once. */
const FRAME = 100;

/** Milliseconds between two readings of runs that events have named. */
const REREAD = 100;

/** So many of the newest runs are read at once when events name some; others are read one by one. */
const NEWEST = 100;

/** What is read of the journal while the page is open, once for all panels: runs, and the events of those that are watched. */
export class Live {
  private current: LiveState = { connection: { state: 'connecting' }, runs: new Map(), deleted: new Set() };
  private readonly listeners = new Set<() => void>();
  private readonly watchers = new Map<string, Set<(events: JournalEvent[]) => void>>();
  private arrived: JournalEvent[] = [];
  private readonly named = new Set<string>();
  private frame = 0;
  private drawn = -FRAME;
  private reread = -REREAD;
  private reading = 0;
  private stop: AbortController | null = null;

  constructor(private readonly client: Client) {}

  readonly state = (): LiveState => this.current;

  /** Calls a function after every change, ten times a second at most; the stream is open while anybody listens. */
  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    if (!this.stop) {
      this.start();
    }
    return () => {
      this.listeners.delete(listener);
    };
  };

  /** Gives a function the events of one run from now on, several at a time; those of no run where the ID is empty. */
  watch(runId: string, watcher: (events: JournalEvent[]) => void): () => void {
    const watchers = this.watchers.get(runId) ?? new Set();
    this.watchers.set(runId, watchers.add(watcher));
    return () => {
      watchers.delete(watcher);
      if (!watchers.size) {
        this.watchers.delete(runId);
      }
    };
  }

  /** Takes in runs that were read. */
  learn(runs: readonly Run[]): void {
    this.change({ runs: withRuns(this.current.runs, runs.map(rowOf)) });
  }

  /** Takes note that a run is gone. */
  forget(runId: string): void {
    this.change({
      runs: withoutRuns(this.current.runs, [runId]),
      deleted: new Set([...this.current.deleted, runId]),
    });
  }

  /** Reads a run with all that is known of it. */
  async read(runId: string): Promise<RunDetail> {
    try {
      const run = await this.client.get<RunDetail>(`/runs/${part(runId)}`);
      this.learn([run]);
      return run;
    } catch (reason) {
      const problem = asProblem(reason);
      if (problem.isMissing && this.current.runs.has(runId)) {
        this.forget(runId);
      }
      throw problem;
    }
  }

  /** Closes the stream for good. */
  dispose(): void {
    this.stop?.abort();
    window.clearTimeout(this.frame);
    window.clearTimeout(this.reading);
  }

  private start(): void {
    this.stop = new AbortController();
    void follow(
      this.client,
      '/events/stream',
      {},
      '',
      {
        onOpen: () => {
          const before = this.current.connection.state;
          this.change({ connection: { state: 'live' } });
          if (before === 'lost') {
            [...this.current.runs.values()]
              .filter(run => !run.ended_at || run.reason === 'lost')
              .forEach(run => this.named.add(run.id));
            this.readSoon();
          }
        },
        onMessage: message => this.take(message),
        onLost: () => {
          if (this.current.connection.state !== 'lost') {
            this.change({ connection: { state: 'lost', since: Date.now() } });
          }
        },
        onRefused: problem => this.change({ connection: { state: 'refused', problem } }),
      },
      this.stop.signal,
    );
  }

  private take(message: Message): void {
    if (message.event === 'begin') {
      return; // it only says where the stream begins
    }
    const event = JSON.parse(message.data) as JournalEvent;
    if (event.type.endsWith('.run_deleted')) {
      this.forget(event.run_id);
      return;
    }
    this.arrived.push(event);
    this.frame ||= window.setTimeout(() => this.draw(), this.drawn + FRAME - performance.now());
  }

  /** Hands on what has arrived since the last time. */
  private draw(): void {
    this.frame = 0;
    this.drawn = performance.now();
    const events = this.arrived;
    this.arrived = [];
    const byRun = new Map<string, JournalEvent[]>();
    for (const event of events) {
      const found = byRun.get(event.run_id);
      if (found) {
        found.push(event);
      } else {
        byRun.set(event.run_id, [event]);
      }
    }
    for (const [runId, found] of byRun) {
      this.watchers.get(runId)?.forEach(watcher => watcher(found));
      if (runId) {
        this.named.add(runId);
      }
    }
    this.change({ runs: afterEvents(this.current.runs, events) });
    if (this.named.size) {
      this.readSoon();
    }
  }

  private readSoon(): void {
    this.reading ||= window.setTimeout(() => void this.readNamed(), this.reread + REREAD - performance.now());
  }

  private async readNamed(): Promise<void> {
    this.reread = performance.now();
    const ids = [...this.named];
    this.named.clear();
    try {
      const { runs } = await this.client.get<RunPage>('/runs', { limit: NEWEST });
      this.learn(runs);
      const found = new Set(runs.map(run => run.id));
      await Promise.allSettled(ids.filter(id => !found.has(id)).map(id => this.read(id)));
    } catch {
      ids.forEach(id => this.named.add(id)); // the stream says when the server is back
    } finally {
      this.reading = 0;
      if (this.named.size && this.current.connection.state === 'live') {
        this.readSoon();
      }
    }
  }

  private change(part: Partial<LiveState>): void {
    const next = { ...this.current, ...part };
    if (
      next.connection === this.current.connection &&
      next.runs === this.current.runs &&
      next.deleted === this.current.deleted
    ) {
      return;
    }
    this.current = next;
    this.listeners.forEach(listener => listener());
  }
}

/** The fields that a list shows. */
function rowOf(run: Run): Run {
  const { id, kind, name, status, reason, agent_id, session, user, parent, job, started_at, ended_at, error, usage } =
    run;
  return { id, kind, name, status, reason, agent_id, session, user, parent, job, started_at, ended_at, error, usage };
}
