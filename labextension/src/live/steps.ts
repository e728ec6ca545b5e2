import { Failure, JournalEvent, Usage } from '../api/types';
import { compact, count } from '../format';

/** A stretch of a step's time: it works, or waits for somebody. */
export interface Span {
  status: 'running' | 'waiting';
  /** Milliseconds since the epoch; `to` is null while it goes on. */
  from: number;
  to: number | null;
  attempt: number;
  failed: boolean;
}

/** One step of a run, as its events tell it. */
export interface Step {
  id: string;
  kind: string;
  name: string;
  status: string;
  reason: string;
  durationMs: number;
  attempts: number;
  input: unknown;
  output: unknown;
  error: Failure | null;
  usage: Usage;
  /** The run that it started. */
  child: string;
  /** Where its result was taken from: an earlier run, or `cache`. */
  source: string;
  replayed: boolean;
  spans: readonly Span[];
}

export type Steps = ReadonlyMap<string, Step>;

const AGENT_STEP = /^agent\.(model|tool|approval)_/;
const JOB_CELL = /^job\.cell_(started|completed|failed)$/;
const WORKFLOW_STEP = /^workflow\.step_(started|waiting|completed|failed|skipped|cancelled|retrying)$/;

/**
 * The steps of a run after some more of its events; steps stand in the order in which they began.
 *
 * @param steps - Those before.
 * @param events - What happened since, in the journal's order.
 */
export function withEvents(steps: Steps, events: readonly JournalEvent[]): Steps {
  let result: Map<string, Step> | null = null;
  for (const event of events) {
    const before = (result ?? steps).get(event.step_id);
    const step = AGENT_STEP.test(event.type)
      ? agentStep(event, before)
      : WORKFLOW_STEP.test(event.type)
        ? workflowStep(event, before)
        : JOB_CELL.test(event.type)
          ? jobCell(event, before)
          : null;
    if (step) {
      result ??= new Map(steps);
      result.set(step.id, step);
    }
  }
  return result ?? steps;
}

/** The steps of a run that has ended, or whose process is gone: nothing is going on in it any more. */
export function settled(steps: Steps, end: string): Steps {
  const moment = Date.parse(end);
  const open = [...steps.values()].filter(step => step.spans.some(span => span.to === null));
  if (!open.length || Number.isNaN(moment)) {
    return steps;
  }
  const result = new Map(steps);
  for (const step of open) {
    const status = step.status === 'running' || step.status === 'waiting' ? 'cancelled' : step.status;
    result.set(step.id, { ...step, status, spans: closed(step.spans, moment, false) });
  }
  return result;
}

/** When a step began, in milliseconds since the epoch; null where it has not. */
export function beginOf(step: Step): number | null {
  return step.spans[0]?.from ?? null;
}

/** When a step ended; of one that goes on, now. */
export function endOf(step: Step, now: number): number {
  const last = step.spans.at(-1);
  return last ? (last.to ?? now) : now;
}

/** What a step came to, in a few words: a tool's result or error; the tools that a model asked for, and its tokens. */
export function gist(step: Step): string {
  if (step.kind === 'tool') {
    return compact(step.error?.message ?? step.output, 80);
  }
  if (step.kind !== 'model') {
    return '';
  }
  const { tool_calls: calls } = record(step.output);
  const names = Array.isArray(calls) ? calls.map(call => text(record(call).name)).join(', ') : '';
  const [read, written] = [step.usage.input_tokens ?? 0, step.usage.output_tokens ?? 0];
  // A tool may be chosen without a word being written.
  const tokens = read + written ? `${count(read)} → ${count(written)} tokens` : '';
  return [names && `asks for ${names}`, tokens].filter(Boolean).join(' · ');
}

function agentStep(event: JournalEvent, before: Step | undefined): Step {
  const { data } = event;
  const metadata = record(data.metadata);
  const kind = text(metadata.kind);
  const status = text(data.status);
  const durationMs = number(data.execution_time_ms);
  const error = text(metadata.error);
  const input = data.input_data ?? before?.input ?? null;
  return {
    id: event.step_id,
    kind,
    name: text(metadata.name),
    status,
    reason: '',
    durationMs,
    attempts: 1,
    input,
    output: data.output_data ?? null,
    error: error ? { type: '', message: error } : null,
    usage: record(metadata.usage),
    child: '',
    source: '',
    replayed: metadata.replayed === true,
    spans: spansAfter(before, event, status, 1, durationMs),
  };
}

function workflowStep(event: JournalEvent, before: Step | undefined): Step {
  const { data } = event;
  const status = text(data.status);
  const attempts = number(data.attempts);
  const durationMs = number(data.execution_time_ms);
  return {
    id: event.step_id,
    kind: text(data.step_type),
    name: text(data.step_name),
    status,
    reason: text(data.reason),
    durationMs,
    attempts,
    input: data.input_data ?? before?.input ?? null,
    output: data.output_data ?? null,
    error: data.error ? (record(data.error) as unknown as Failure) : null,
    usage: record(data.usage),
    child: text(data.child),
    source: text(data.source),
    replayed: Boolean(data.source),
    spans: status === 'skipped' ? (before?.spans ?? []) : spansAfter(before, event, status, attempts, durationMs),
  };
}

/** A cell of a job's notebook; its outputs are in the notebook. */
function jobCell(event: JournalEvent, before: Step | undefined): Step {
  const { data } = event;
  const status = text(data.status);
  const attempts = number(data.attempt) || 1;
  const durationMs = number(data.execution_time_ms);
  const error = text(data.error);
  return {
    id: event.step_id,
    kind: 'cell',
    name: text(data.source),
    status,
    reason: '',
    durationMs,
    attempts,
    input: null,
    output: null,
    error: error ? { type: '', message: error } : null,
    usage: {},
    child: '',
    source: '',
    replayed: data.restored === true,
    spans: spansAfter(before, event, status, attempts, durationMs),
  };
}

/** The spans of a step after an event: the open one is closed, and a new one begins where the step goes on. */
function spansAfter(
  before: Step | undefined,
  event: JournalEvent,
  status: string,
  attempt: number,
  durationMs: number,
): readonly Span[] {
  const moment = Date.parse(text(event.data.timestamp));
  if (Number.isNaN(moment)) {
    return before?.spans ?? [];
  }
  if (status === 'running' || status === 'waiting') {
    return [...closed(before?.spans ?? [], moment, false), { status, from: moment, to: null, attempt, failed: false }];
  }
  const failed = status === 'failed' || (status === 'queued' && Boolean(event.data.error));
  if (before?.spans.length) {
    return closed(before.spans, moment, failed);
  }
  return [{ status: 'running', from: moment - durationMs, to: moment, attempt, failed }];
}

function closed(spans: readonly Span[], moment: number, failed: boolean): readonly Span[] {
  return spans.map(span => (span.to === null ? { ...span, to: moment, failed } : span));
}

function record(value: unknown): Readonly<Record<string, unknown>> {
  return value !== null && typeof value === 'object' ? (value as Record<string, unknown>) : {};
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function number(value: unknown): number {
  return typeof value === 'number' ? value : 0;
}
