import type { DocumentRegistry } from '@jupyterlab/docregistry';
import type { ISharedText } from '@jupyter/ydoc';
import { PathExt } from '@jupyterlab/coreutils';
import { Signal } from '@lumino/signaling';

import { asProblem, type Client, type Problem } from '../api/client';
import type { GraphData } from '../graph/types';
import { drawing } from './drawing';
import { placed, syntaxFindings, type Finding, type ServerFinding } from './findings';
import { read, type Model } from './model';
import { Draft } from './text/draft';
import type { Edit } from './text/source';
import { Tangled } from './text/splicing';

/** Texts above this size are read a moment after the last key stroke, not at each. */
const LARGE = 100_000;
/** Texts above this size are not drawn: they stay what they are, text. */
export const LARGEST = 1_000_000;
const PAUSE = 300;
const CHECK_PAUSE = 250;
/** Edits of one kind within so many milliseconds are undone as one. */
const TOGETHER = 1000;
const JSON_TYPE = { 'Content-Type': 'application/json' };

/** How the checks of the server stand. */
export type Check = { state: 'checking' } | { state: 'checked' } | { state: 'failed'; problem: Problem };

/** What the editor shows. */
export interface EditorState {
  /** Whether the file has been read. */
  ready: boolean;
  model: Model;
  graph: GraphData;
  /** Why the canvas shows less than the text, or nothing: the text can't be read, or is too large. */
  stale: { reason: 'errors' | 'large'; line: number } | null;
  findings: readonly Finding[];
  check: Check;
  /** The chosen step or state. */
  selected: string;
  /** The chosen line. */
  edge: { source: string; target: string } | null;
  /** Why the last edit could not be made. */
  refusal: string;
  canUndo: boolean;
  canRedo: boolean;
  readOnly: boolean;
}

/** The part of the shared document's undo manager that is used: it is Yjs's. */
interface UndoManager {
  stopCapturing: () => void;
  on: (event: (typeof STACK_EVENTS)[number], listener: () => void) => void;
  off: (event: (typeof STACK_EVENTS)[number], listener: () => void) => void;
}

const STACK_EVENTS = ['stack-item-added', 'stack-item-popped', 'stack-cleared'] as const;

/** A workflow's document while it is edited: its text is the one truth, everything else is read from it. */
export class EditorStore {
  /** Asks the text's pane to show a place; the canvas follows `selected` by itself. */
  readonly shown = new Signal<this, { from: number; to: number; focus: boolean }>(this);

  private current: EditorState;
  private readonly listeners = new Set<() => void>();
  private readTimer = 0;
  private checkTimer = 0;
  private checking: AbortController | null = null;
  private lastEdit = { key: '', at: 0 };

  constructor(
    readonly context: DocumentRegistry.IContext<DocumentRegistry.ICodeModel>,
    readonly client: Client,
  ) {
    const model = read('');
    this.current = {
      ready: false,
      model,
      graph: drawing(model),
      stale: null,
      findings: [],
      check: { state: 'checking' },
      selected: '',
      edge: null,
      refusal: '',
      canUndo: false,
      canRedo: false,
      readOnly: false,
    };
    this.shared.changed.connect(this.onChanged);
    context.model.stateChanged.connect(this.onModelState);
    STACK_EVENTS.forEach(event => this.undoing?.on(event, this.onStack));
    void context.ready.then(() => {
      if (!context.isDisposed) {
        this.set({ ready: true });
        this.refresh();
      }
    });
  }

  private get shared(): ISharedText {
    return this.context.model.sharedModel;
  }

  private get undoing(): UndoManager | null {
    return (this.shared as unknown as { undoManager?: UndoManager | null }).undoManager ?? null;
  }

  readonly state = (): EditorState => this.current;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => {
      this.listeners.delete(listener);
    };
  };

  get text(): string {
    return this.shared.getSource();
  }

  /** The file as the server names it. */
  get file(): string {
    return this.context.localPath;
  }

  get fileName(): string {
    return PathExt.basename(this.context.path);
  }

  /**
   * Changes the text by an operation; all of it is undone at once.
   *
   * @param key - Edits of the same key that follow each other at once are undone as one: the key strokes in a field.
   * @returns What the operation gives; undefined where it could not be done.
   */
  edit<T>(change: (draft: Draft) => T, key = ''): T | undefined {
    if (this.current.readOnly) {
      this.set({ refusal: 'This file may only be read: save it under another name to edit it.' });
      return undefined;
    }
    const draft = new Draft(this.text);
    try {
      const found = change(draft);
      this.apply(draft.edits, key);
      return found;
    } catch (reason) {
      if (reason instanceof Tangled) {
        this.set({ refusal: `This can't be edited here: ${reason.message}.` });
        return undefined;
      }
      throw reason;
    }
  }

  /** Applies edits, each to the text that those before it have made, as one change. */
  apply(edits: readonly Edit[], key = ''): void {
    if (!edits.length) {
      return;
    }
    const now = Date.now();
    const { undoing } = this;
    if (!key || key !== this.lastEdit.key || now - this.lastEdit.at > TOGETHER) {
      undoing?.stopCapturing();
    }
    this.lastEdit = { key, at: now };
    this.shared.transact(() => edits.forEach(({ from, to, text }) => this.shared.updateSource(from, to, text)));
    if (!key) {
      undoing?.stopCapturing();
    }
    this.set({ refusal: '' });
  }

  readonly undo = (): void => {
    this.shared.undo();
  };

  readonly redo = (): void => {
    this.shared.redo();
  };

  /**
   * Chooses a step or a state.
   *
   * @param reveal - Whether the text shall show it too.
   */
  select(id: string, reveal = true): void {
    if (id === this.current.selected && !this.current.edge) {
      return;
    }
    this.set({ selected: id, edge: null });
    const span = reveal && id ? this.spanOf(id) : undefined;
    if (span) {
      this.shown.emit({ ...span, focus: false });
    }
  }

  selectEdge(source: string, target: string): void {
    this.set({ edge: { source, target }, selected: '' });
  }

  /** Where a step stands in the text. */
  spanOf(id: string): { from: number; to: number } | undefined {
    const item = this.current.model.items.get(id);
    return item && this.current.model.source.spanOf(item.path);
  }

  /** Chooses what the cursor in the text is in. */
  follow(offset: number): void {
    const { model, stale } = this.current;
    if (stale || model.source.text !== this.text) {
      return;
    }
    const [section, id] = model.source.pathAt(offset);
    const isItem = (section === 'steps' || section === 'states') && model.items.has(String(id));
    const span = isItem ? this.spanOf(String(id)) : undefined;
    this.select(span && offset <= model.source.nextLine(span.to) ? String(id) : '', false);
  }

  show(from: number, to: number, focus = true): void {
    this.shown.emit({ from, to, focus });
  }

  goTo(finding: Finding): void {
    if (finding.id) {
      this.set({ selected: finding.id, edge: null });
    }
    this.show(finding.from, finding.to, false);
  }

  dismiss(): void {
    this.set({ refusal: '' });
  }

  /** Checks anew, as after the server was away. */
  recheck(): void {
    window.clearTimeout(this.checkTimer);
    this.checkTimer = window.setTimeout(() => void this.check(), CHECK_PAUSE);
  }

  dispose(): void {
    window.clearTimeout(this.readTimer);
    window.clearTimeout(this.checkTimer);
    this.checking?.abort();
    this.shared.changed.disconnect(this.onChanged);
    this.context.model.stateChanged.disconnect(this.onModelState);
    STACK_EVENTS.forEach(event => this.undoing?.off(event, this.onStack));
    this.listeners.clear();
  }

  private readonly onStack = (): void => {
    const [canUndo, canRedo] = [this.shared.canUndo(), this.shared.canRedo()];
    if (canUndo !== this.current.canUndo || canRedo !== this.current.canRedo) {
      this.set({ canUndo, canRedo });
    }
  };

  private readonly onChanged = (): void => {
    const { length } = this.text;
    window.clearTimeout(this.readTimer);
    if (length > LARGE) {
      this.readTimer = window.setTimeout(() => this.refresh(), PAUSE);
    } else {
      this.refresh();
    }
  };

  private readonly onModelState = (): void => {
    this.set({ readOnly: this.context.model.readOnly });
  };

  private refresh(): void {
    const { text } = this;
    const base = {
      canUndo: this.shared.canUndo(),
      canRedo: this.shared.canRedo(),
      readOnly: this.context.model.readOnly,
    };
    if (text.length > LARGEST) {
      this.set({ ...base, stale: { reason: 'large', line: 0 }, findings: [], selected: '', edge: null });
      this.recheck();
      return;
    }
    const model = read(text);
    const syntax = syntaxFindings(model.source);
    if (syntax.length) {
      this.set({ ...base, stale: { reason: 'errors', line: syntax[0]?.line ?? 0 }, findings: syntax, edge: null });
      this.recheck();
      return;
    }
    const { selected, edge } = this.current;
    this.set({
      ...base,
      model,
      graph: drawing(model),
      stale: null,
      findings: this.current.findings.filter(one => one.path.length && model.source.spanOf(one.path)),
      selected: model.items.has(selected) ? selected : '',
      edge: edge && model.items.has(edge.source) && model.items.has(edge.target) ? edge : null,
    });
    this.recheck();
  }

  private async check(): Promise<void> {
    this.checking?.abort();
    const stop = new AbortController();
    this.checking = stop;
    const { text } = this;
    try {
      const asked = { method: 'POST', body: JSON.stringify({ text, file: this.file }), signal: stop.signal };
      const response = await this.client.request('/documents/validate', {}, { ...asked, headers: JSON_TYPE });
      const answer = (await response.json()) as { findings: ServerFinding[] };
      if (stop.signal.aborted || text !== this.text) {
        return;
      }
      const { stale, model } = this.current;
      if (stale?.reason === 'large') {
        this.set({ check: { state: 'checked' } });
        return;
      }
      const source = stale ? read(text) : model;
      const found = placed(answer.findings, source);
      // The parser here is stricter or laxer in places: what it alone has found stays beside the server's word.
      const own = found.some(one => one.severity === 'error') ? [] : syntaxFindings(source.source);
      this.set({ findings: [...found, ...own], check: { state: 'checked' } });
    } catch (reason) {
      if (!stop.signal.aborted) {
        this.set({ check: { state: 'failed', problem: asProblem(reason) } });
      }
    }
  }

  private set(part: Partial<EditorState>): void {
    this.current = { ...this.current, ...part };
    this.listeners.forEach(listener => listener());
  }
}
