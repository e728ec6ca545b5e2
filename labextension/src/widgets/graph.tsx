import { useSyncExternalStore, type ReactElement } from 'react';
import { createRoot } from 'react-dom/client';

import {
  EMPTY,
  FIRST_VIEW,
  merged,
  WorkflowGraph,
  type Answered,
  type GraphActions,
  type GraphChanges,
  type GraphData,
  type GraphState,
  type GraphView,
  type NodeDetails,
  type WorkflowGraphProps,
} from '../graph';
import '../../style/graph.css';

/** What anywidget gives: the traits of `agentnb.notebook.graph_widget.GraphWidget`, and its messages. */
interface Model {
  get(name: 'graph'): GraphData;
  get(name: 'state'): GraphState;
  get(name: 'actions'): string[];
  set(name: 'state', value: GraphState): void;
  on(name: string, listener: (message: Message) => void): void;
  off(name: string, listener: (message: Message) => void): void;
  send(message: unknown): void;
}

/** From the kernel: all of the state, what is different in it, the graph of another run, or the answer to a request. */
interface Message {
  kind?: 'state' | 'changes' | 'graph' | 'reply';
  id?: number;
  graph?: GraphData;
  state?: GraphState;
  changes?: GraphChanges;
  value?: unknown;
  error?: string;
}

type Name = 'details' | 'answer' | 'cancel' | 'resume' | 'retry';

/** One widget: what its views show, however many there are, and wherever they are put. */
class Holder {
  private model!: Model;
  private data!: GraphData;
  private state: GraphState = EMPTY;
  private view: GraphView = FIRST_VIEW;
  private actions: GraphActions = {};
  private props!: WorkflowGraphProps;
  private gone = false;
  private requests = 0;
  private readonly waiting = new Map<number, { done: (value: never) => void; failed: (error: Error) => void }>();
  private readonly views = new Set<() => void>();

  initialize(model: Model): () => void {
    this.model = model;
    this.data = model.get('graph');
    this.state = { ...EMPTY, ...model.get('state') };
    this.offer();
    this.draw();
    model.on('msg:custom', this.told);
    model.on('comm_live_update', this.left);
    model.send({ kind: 'ready' });
    return () => {
      model.off('msg:custom', this.told);
      model.off('comm_live_update', this.left);
    };
  }

  render(el: HTMLElement): () => void {
    const root = createRoot(el);
    root.render(<Shown holder={this} />);
    return () => root.unmount();
  }

  readonly subscribe = (view: () => void): (() => void) => {
    this.views.add(view);
    return () => this.views.delete(view);
  };

  /** What is shown now: the same object until something is different. */
  readonly shown = (): WorkflowGraphProps => this.props;

  private readonly onView = (change: Partial<GraphView>): void => {
    this.view = { ...this.view, ...change };
    this.draw();
  };

  private readonly draw = (): void => {
    this.props = {
      data: this.data,
      state: this.state,
      actions: this.actions,
      notice: this.notice(),
      view: this.view,
      onView: this.onView,
      height: heightOf(this.data),
    };
    this.views.forEach(told => told());
  };

  /** The only change that there is after the beginning: the kernel, and with it the widget's other half, is gone. */
  private readonly left = (): void => {
    this.gone = true;
    this.draw();
  };

  private notice(): string | undefined {
    if (!this.gone) {
      return undefined;
    }
    const run = this.state.run?.id;
    return `The kernel was restarted. ${run ? `%agentnb graph ${run} brings this back.` : 'Run the cell again to bring this back.'}`;
  }

  private readonly told = (message: Message): void => {
    switch (message.kind) {
      case 'graph':
        this.data = message.graph ?? this.data;
        this.view = { ...FIRST_VIEW, mode: this.view.mode };
        this.keep({ ...EMPTY, ...message.state });
        break;
      case 'state':
        this.keep({ ...EMPTY, ...message.state });
        break;
      case 'changes':
        this.keep(merged(this.state, message.changes ?? {}));
        break;
      case 'reply':
        this.replied(message);
    }
  };

  /** In the model as well, from which a page that saves its widgets takes it. */
  private keep(state: GraphState): void {
    this.state = state;
    this.model.set('state', state);
    this.draw();
  }

  private replied({ id = 0, value, error }: Message): void {
    const request = this.waiting.get(id);
    this.waiting.delete(id);
    if (error !== undefined) {
      request?.failed(new Error(error));
    } else {
      request?.done(value as never);
    }
  }

  private ask<Value>(name: Name, given: object = {}): Promise<Value> {
    return new Promise<Value>((done, failed) => {
      const id = ++this.requests;
      this.waiting.set(id, { done, failed });
      this.model.send({ kind: 'request', id, name, ...given });
    });
  }

  /** What the kernel does here. */
  private offer(): void {
    const offered = new Set(this.model.get('actions'));
    const all: Required<Omit<GraphActions, 'open'>> = {
      details: (path, part) => this.ask<NodeDetails>('details', { path, part }),
      answer: answer => this.ask<Answered>('answer', { answer }),
      cancel: () => this.ask<undefined>('cancel'),
      resume: () => this.ask<undefined>('resume'),
      retry: steps => this.ask<undefined>('retry', { steps }),
    };
    this.actions = Object.fromEntries(Object.entries(all).filter(([name]) => offered.has(name)));
  }
}

function Shown({ holder }: { holder: Holder }): ReactElement {
  return <WorkflowGraph {...useSyncExternalStore(holder.subscribe, holder.shown)} />;
}

/** As much as the graph needs, within what a cell's output can take. */
function heightOf(data: GraphData): number {
  return Math.min(Math.max(data.height + 110, 300), 460);
}

/** A widget of its own for each model. */
export default (): {
  initialize: (props: { model: Model }) => () => void;
  render: (props: { el: HTMLElement }) => () => void;
} => {
  const holder = new Holder();
  return {
    initialize: ({ model }) => holder.initialize(model),
    render: ({ el }) => holder.render(el),
  };
};
