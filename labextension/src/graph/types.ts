/**
 * The data of a workflow's graph, as `agentnb.runtime.graphs` makes it, and the component's props.
 *
 * `GraphData` (`drawing.py`) is sent once and never changes while a run goes on; `GraphState` (`following.py`) is what the run has come
 * to, first as a whole, then as `GraphChanges` to merge into it; `NodeDetails` (`details.py`) is what the sheet of one node shows, asked
 * for when it is opened. Lengths are pixels, times are milliseconds, moments are milliseconds since the epoch; a field that says nothing
 * is left out.
 *
 * A *path* names a node across sub-workflows: `step`, or `step/step of its sub-workflow`.
 */

/** What people see of a step: the runs' own words, and `replayed` (taken from an earlier run) and `stale` (a rerun would run it). */
export type NodeStatus =
  'queued' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled' | 'skipped' | 'stale' | 'replayed';

export type NodeKind = 'agent' | 'tool' | 'shell' | 'human' | 'webhook' | 'workflow' | 'state';

/** A step or a state, and where it stands: its left top corner in its own workflow's drawing. */
export interface GraphNode {
  id: string;
  title: string;
  kind: NodeKind;
  /** The quiet second line, where there is no status to show. */
  detail: string;
  /** What is said on hover. */
  hint: string;
  x: number;
  y: number;
  width: number;
  height: number;
  /** It runs only where its condition holds. */
  conditional?: boolean;
  /** It runs once for each item of a list. */
  fan?: boolean;
  /** A state machine begins, or ends, here. */
  initial?: boolean;
  final?: boolean;
  /** Label of the line from a state to itself; empty for one without words. */
  loop?: string;
  /** The sub-workflow that the step runs. */
  graph?: GraphData;
}

/** A line; `points` come in pairs of where it leaves and where it arrives, from left to right, also of one that leads `backward`. */
export interface GraphEdge {
  id: string;
  source: string;
  target: string;
  points: [number, number][];
  /** The condition, or the event. */
  label?: string;
  /** Whether the label stands at the right end of the line. */
  at_end?: boolean;
  /** Taken only on failure. */
  dashed?: boolean;
  backward?: boolean;
}

export interface GraphData {
  name: string;
  description: string;
  kind: 'dag' | 'state_machine';
  width: number;
  height: number;
  nodes: GraphNode[];
  edges: GraphEdge[];
  /** How many lines are left out because others imply them. */
  left_out: number;
}

export interface NodeState {
  status: NodeStatus;
  reason?: string;
  outcome?: string;
  started_at?: number;
  duration_ms?: number;
  attempts?: number;
  error?: string;
  /** The run, or `cache`, that a result was taken from. */
  source?: string;
  /** The run that the step has started. */
  child?: string;
  tokens?: number;
  /** Who is asked, while somebody is. */
  asks?: string;
  items?: { total: number; done: number; failed: number; waiting?: number };
  /** How often a state was entered; when it was entered and left, the last times of many, 0 for not yet. */
  visits?: number;
  spans?: [number, number][];
}

export type RunStatus = 'queued' | 'running' | 'waiting' | 'completed' | 'failed' | 'cancelled';

export interface RunState {
  id: string;
  name: string;
  status: RunStatus;
  /** `lost` where its process died: it can be resumed. */
  reason: string;
  started_at: number;
  ended_at: number;
  error: { type?: string; message?: string } | null;
  parent: string;
  usage: {
    input_tokens?: number;
    output_tokens?: number;
    cost?: number | null;
    model_calls?: number;
    tool_calls?: number;
  };
  /** The steps that the run's time went into, one after the other. */
  path: string[];
  /** The last event that this knows of. */
  seq: number;
}

/** What a run has come to. `run` is null for a workflow that isn't run. */
export interface GraphState {
  run: RunState | null;
  /** By the node's path. */
  steps: Record<string, NodeState>;
  /** The numbers of a state machine's transitions, by the path of the line: `sub/A→B`. */
  taken: Record<string, number[]>;
  /** The paths of the states in which state machines are. */
  current: string[];
}

/** The parts of a `GraphState` that are different from before; merged by `merged` in `state.ts`. */
export type GraphChanges = Partial<GraphState>;

/** A value: as JSON, or the beginning of a very large one as text. */
export type Shown = { json: unknown } | { text: string } | null;

/** An item of a fan-out, or a visit of a state. */
export interface NodePart {
  id: string;
  status: NodeStatus;
  started_at: number;
  duration_ms: number;
  child: string;
  asks: boolean;
}

export interface Attempt {
  status: NodeStatus;
  started_at: number;
  ended_at?: number;
  error?: { type: string; message: string } | null;
}

export interface TraceStep {
  id: string;
  kind: string;
  name: string;
  status: NodeStatus;
  started_ms: number;
  duration_ms: number;
  tokens: number;
  input: Shown;
  output: Shown;
  error: string;
}

/** What a waiting step asks; the answer is one of `verdicts` and, for `approve`, data that fit `form`. */
export interface Question {
  step: string;
  kind: string;
  ticket: string;
  prompt: string;
  shown: string;
  form: JsonSchema | null;
  verdicts: string[];
  assignee: string;
  /** When it is too late; 0 for never. */
  due: number;
}

export type JsonSchema = Record<string, unknown>;

/** What the sheet shows. All but path, part, status and parts is missing of a step that hasn't begun. */
export interface NodeDetails {
  path: string;
  /** The item or the visit that was asked for; empty for the step itself, and for a state's last visit. */
  part: string;
  status: NodeStatus;
  parts: NodePart[];
  /** How many items or visits there are; `parts` has the newest of them. */
  count?: number;
  /** The run that the step is of, and the step's ID in it: what an answer names. */
  run?: string;
  step?: string;
  title?: string;
  kind?: string;
  reason?: string;
  outcome?: string;
  started_at?: number;
  duration_ms?: number;
  input?: Shown;
  output?: Shown;
  error?: { type: string; message: string } | null;
  source?: string;
  child?: string;
  usage?: Record<string, number | null>;
  attempts?: Attempt[];
  events?: { seq: number; at: number; type: string; status: string }[];
  trace?: TraceStep[];
  question?: Question | null;
}

export interface Answer {
  run: string;
  step: string;
  verdict: string;
  data: unknown;
  note: string;
}

/** What an answer came to: `errors` by the field of the form (`address.city`; empty for the answer as a whole), or what there is to say. */
export interface Answered {
  accepted: boolean;
  message: string;
  errors?: Record<string, string>;
}

/**
 * What the graph asks of the place that it stands in. What is missing isn't offered: a picture of a definition has none of it.
 * A promise that is rejected is shown as an error, and nothing else changes.
 */
export interface GraphActions {
  details?: (path: string, part: string) => Promise<NodeDetails>;
  answer?: (answer: Answer) => Promise<Answered>;
  cancel?: () => Promise<void>;
  /** Goes on with a run whose process is gone, or that waits and was answered. */
  resume?: () => Promise<void>;
  /** Runs an ended run again, and anew from these steps; what is the same is taken over. */
  retry?: (steps: string[]) => Promise<void>;
  /** Opens another run: that of a sub-workflow or an agent. */
  open?: (runId: string) => void;
}

/** What somebody has chosen to see. Kept by whoever holds the graph, so that it survives the component. */
export interface GraphView {
  mode: 'graph' | 'timeline' | 'table';
  /** The path of the chosen node, and the item or visit of it. */
  selected: string;
  part: string;
  /** Sub-workflows that are unfolded. */
  open: string[];
  search: string;
  viewport: { x: number; y: number; zoom: number } | null;
}

export interface WorkflowGraphProps {
  data: GraphData;
  state: GraphState;
  actions: GraphActions;
  /** Why nothing can be done here at the moment, for example because the kernel is gone; shown, and no action is offered. */
  notice?: string;
  view: GraphView;
  onView: (change: Partial<GraphView>) => void;
  /** Height of the canvas; fills the place that it is put into by default. */
  height?: number;
}
