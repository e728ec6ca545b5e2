/** The data of the REST API, as its OpenAPI document has it. */

export type RunStatus = 'queued' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled';
export type RunKind = 'agent' | 'workflow' | 'job';

export interface Usage {
  input_tokens?: number;
  output_tokens?: number;
  cached_tokens?: number;
  cost?: number | null;
  model_calls?: number;
  tool_calls?: number;
  replayed?: number;
  cut_off?: boolean;
}

export interface Failure {
  type: string;
  message: string;
}

/** One execution of an agent, a workflow or a job. */
export interface Run {
  id: string;
  kind: RunKind;
  name: string;
  status: RunStatus;
  reason: string;
  agent_id: string;
  session: string;
  user: string;
  parent: string;
  /** The run of the job that has started it, or empty. */
  job: string;
  started_at: string;
  ended_at: string;
  error: Failure | null;
  usage: Usage;
}

/** Something that happened, as the journal keeps it. */
export interface JournalEvent {
  seq: number;
  type: string;
  run_id: string;
  step_id: string;
  data: Readonly<Record<string, unknown>>;
}

export interface RunPage {
  runs: Run[];
  /** The cursor of what follows; empty at the end. */
  next: string;
}

/** What a run waits for. */
export interface Question {
  /** The run that asks: itself, or one that it has started. */
  run_id: string;
  step_id: string;
  kind: string;
  prompt: string;
  verdicts: string[];
  /** JSON Schema of the data that goes with an approval, or null. */
  form: Readonly<Record<string, unknown>> | null;
  /** What is to be looked at; of an agent's approval the tool and its arguments. */
  shown: unknown;
  assignee: string;
  asked_at: number;
  /** Seconds since the epoch at which it stops waiting; 0 for never. */
  due: number;
  /** Why an agent has to ask, and what its tool does to the world. */
  reason: string;
  effects: string;
}

/** A run with all that is known of it, its steps apart. */
export interface RunDetail extends Run {
  input: unknown;
  output: unknown;
  questions: Question[];
  /** Whether some process executes it. */
  alive: boolean;
  /** Whether it can go on after its last finished step. */
  resumable: boolean;
  rerun_of: string;
}

export interface EventPage {
  events: JournalEvent[];
  /** The `after` of what follows. */
  next: number;
}

export interface LastRun {
  id: string;
  status: RunStatus;
  reason: string;
  started_at: string;
  duration_ms: number | null;
}

/** A registered agent. */
export interface Agent {
  id: string;
  name: string;
  origin: string;
  state: string;
  capabilities: string[];
  created_at: string;
  model: string;
  /** The first line of them. */
  instructions: string;
  tools: string[];
  /** Newest first. */
  last_runs: LastRun[];
}

/** What the stream of a run sends of an answer that is being written; null begins it anew. */
export interface Delta {
  run_id: string;
  text: string | null;
}

export interface AgentPage {
  agents: Agent[];
  next: string;
}

/** The report of a workflow's run, as far as the panels show it. */
export interface Report {
  counts: Readonly<Record<string, number>>;
  skipped: Readonly<Record<string, number>>;
  slowest: string[];
  retried: Readonly<Record<string, number>>;
  failures: { step: string; type: string; message: string; attempts: number; handling: string; target: string }[];
  critical_path: string[];
  critical_ms: number;
  critical_share: number;
  parallelism: number;
  usage: Usage;
  outputs: unknown;
  not_begun: string[];
  states: { state: string; visit: number; event: string; entered_at: string; spent_ms: number }[];
}

/** One of two runs that are compared, as a whole. */
export interface RunSide {
  id: string;
  name: string;
  status: string;
  reason: string;
  error: Failure | null;
  started_at: string;
  duration_ms: number;
  tokens: number;
  cost: number | null;
  input: unknown;
  output: unknown;
}

/** A step as it was in one of two runs; values that are the same in both are left out. */
export interface StepSide {
  kind: string;
  name: string;
  status: string;
  reason: string;
  input?: unknown;
  output?: unknown;
  error?: Failure | null;
  attempts: number;
  duration_ms: number;
  tokens: number;
  cost: number | null;
  child: string;
}

export interface StepDiff {
  id: string;
  status: 'same' | 'changed' | 'only in a' | 'only in b';
  changed: string[];
  duration_ms: number | null;
  tokens: number | null;
  cost: number | null;
  /** The runs that it started, to be compared in their turn. */
  children: [string, string];
  a: StepSide | null;
  b: StepSide | null;
}

/** How run b differs from run a. */
export interface RunDiff {
  kind: string;
  same: boolean;
  a: RunSide;
  b: RunSide;
  duration_ms: number;
  tokens: number;
  cost: number | null;
  definition: {
    same: boolean;
    fields: Readonly<Record<string, [unknown, unknown]>>;
    edited: Readonly<Record<string, [unknown, unknown]>>;
    behind: string[];
    only_a: string[];
    only_b: string[];
  };
  counts: Readonly<Record<string, number>>;
  diverged: string;
  steps: StepDiff[];
}

/** One thing that is wrong with a file; line and column count from 1. */
export interface Finding {
  line: number;
  column: number;
  field: string;
  message: string;
  mend: string;
}

/** A job of a file. */
export interface Job {
  name: string;
  /** Whether it can be run. */
  ok: boolean;
  file: string;
  description: string;
  source: string;
  kind: 'notebook' | 'workflow';
  starts: 'cron' | 'event' | 'after' | 'manual';
  trigger: string;
  timezone: string;
  /** When it is due next. */
  next: string[];
  /** Newest first. */
  last_runs: LastRun[];
  findings: Finding[];
}

export interface JobPage {
  jobs: Job[];
  /** Where they are searched for. */
  folder: string;
  next: string;
}

/** A job with what it may be given, and what its file gives. */
export interface JobDetail extends Job {
  parameters: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  values: Readonly<Record<string, unknown>>;
}

export interface JobRun extends Run {
  trigger: string;
  output: string;
  /** Where the output is in the server's folder; empty where it isn't there. */
  output_path: string;
}

export interface JobRunPage {
  runs: JobRun[];
  next: string;
}

/** A time at which a job was due. */
export interface Firing {
  trigger: string;
  position: number;
  at: string;
  status: string;
  run_id: string;
  note: string;
}

/** How far the fetching of a model is. */
export interface ModelPull {
  model: string;
  status: 'running' | 'completed' | 'failed' | 'cancelled';
  task: string;
  /** Bytes, of `total`; 0 of 0 where that is unknown. */
  done: number;
  total: number;
  problem: string;
}

/** A model that a provider knows of. */
export interface Model {
  name: string;
  description: string;
  licence: string;
  /** Bytes. */
  size: number;
  installed: boolean;
  /** Whether agents that name none use it. */
  default: boolean;
  pull: ModelPull | null;
}
