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
