import { autocompletion, type CompletionContext, type CompletionResult } from '@codemirror/autocomplete';
import { lintGutter, setDiagnostics, type Diagnostic } from '@codemirror/lint';
import { StateEffect, StateField, type Extension } from '@codemirror/state';
import { Decoration, EditorView, type DecorationSet } from '@codemirror/view';
import type { IEditorServices } from '@jupyterlab/codeeditor';
import { CodeEditorWrapper } from '@jupyterlab/codeeditor';
import type { DocumentRegistry } from '@jupyterlab/docregistry';

import { suggest } from './completion';
import { read } from './model';
import type { EditorStore } from './store';

const choose = StateEffect.define<{ from: number; to: number } | null>();

/** Marks the lines of what is chosen on the canvas. */
const chosen = StateField.define<DecorationSet>({
  create: () => Decoration.none,
  update(marks, transaction) {
    let next = marks.map(transaction.changes);
    for (const effect of transaction.effects) {
      if (effect.is(choose)) {
        next = effect.value ? linesOf(transaction.state.doc, effect.value) : Decoration.none;
      }
    }
    return next;
  },
  provide: field => EditorView.decorations.from(field),
});

function linesOf(
  doc: {
    lineAt: (at: number) => { from: number; number: number };
    lines: number;
    length: number;
    line: (n: number) => { from: number };
  },
  span: { from: number; to: number },
): DecorationSet {
  const first = doc.lineAt(Math.min(span.from, doc.length)).number;
  const last = doc.lineAt(Math.min(span.to, doc.length)).number;
  const lines = Array.from({ length: Math.min(last - first, 400) + 1 }, (_, place) => doc.line(first + place).from);
  return Decoration.set(lines.map(from => Decoration.line({ class: 'agentnb-editor-chosen' }).range(from)));
}

/**
 * The text of a workflow beside its canvas: JupyterLab's own editor on the same document, with findings in its margin, and completion in
 * expressions.
 */
export function textPane(
  services: IEditorServices,
  context: DocumentRegistry.IContext<DocumentRegistry.ICodeModel>,
  store: EditorStore,
): CodeEditorWrapper {
  let isShowing = false;
  const follow = EditorView.updateListener.of(update => {
    if (update.selectionSet && !isShowing && update.view.hasFocus) {
      const { head } = update.state.selection.main;
      queueMicrotask(() => store.follow(head)); // what it leads to may change the view, which is at work just now
    }
  });
  const extensions: Extension[] = [
    chosen,
    lintGutter(),
    follow,
    autocompletion({ override: [complete], activateOnTyping: true, icons: false }),
  ];
  const pane = new CodeEditorWrapper({
    model: context.model,
    factory: options => services.factoryService.newDocumentEditor({ ...options, extensions }),
    editorOptions: { config: { lineWrap: false } },
  });
  pane.addClass('agentnb-editor-text');
  pane.node.dataset.testid = 'text-pane';
  context.model.mimeType = services.mimeTypeService.getMimeTypeByFilePath(
    context.path.endsWith('.json') ? 'workflow.json' : 'workflow.yaml',
  );
  const { editor: view } = pane.editor as unknown as { editor: EditorView }; // JupyterLab's editor is CodeMirror's

  const show = (_: unknown, { from, focus }: { from: number; focus: boolean }): void => {
    const end = Math.min(from, view.state.doc.length);
    isShowing = true;
    view.dispatch({
      selection: { anchor: end },
      effects: [EditorView.scrollIntoView(end, { y: 'nearest', yMargin: 60 })],
    });
    isShowing = false;
    if (focus) {
      view.focus();
    }
  };
  let before = { findings: store.state().findings, selected: '' };
  const draw = (): void => {
    const { findings, selected } = store.state();
    const length = view.state.doc.length;
    if (findings !== before.findings) {
      const diagnostics = findings.map((one): Diagnostic => {
        const { fix } = one;
        return {
          from: Math.min(one.from, length),
          to: Math.min(Math.max(one.to, one.from), length),
          severity: one.severity,
          message: one.mend && !fix ? `${one.message}. ${one.mend}` : one.message,
          ...(fix && { actions: [{ name: fix.label, apply: () => store.apply(fix.edits) }] }),
        };
      });
      view.dispatch(setDiagnostics(view.state, diagnostics));
    }
    if (selected !== before.selected || findings !== before.findings) {
      const span = selected ? store.spanOf(selected) : undefined;
      view.dispatch({ effects: choose.of(span && span.to <= length ? span : null) });
    }
    before = { findings, selected };
  };
  store.shown.connect(show);
  let isDue = false;
  const stop = store.subscribe(() => {
    if (!isDue) {
      isDue = true;
      queueMicrotask(() => {
        isDue = false;
        if (!pane.isDisposed) {
          draw();
        }
      });
    }
  });
  pane.disposed.connect(() => {
    stop();
    store.shown.disconnect(show);
  });
  return pane;

  /** What can stand at the cursor of an expression; and names of steps in `needs`. */
  function complete(at: CompletionContext): CompletionResult | null {
    const { model, stale } = store.state();
    const text = at.state.doc.toString();
    const line = at.state.doc.lineAt(at.pos);
    const before = line.text.slice(0, at.pos - line.from);
    const needs = /^\s*needs:\s*\[(?:[^\]]*,)?\s*(\w*)$/.exec(before);
    if (needs) {
      return {
        from: at.pos - (needs[1]?.length ?? 0),
        options: [...model.items.keys()].map(label => ({ label, type: 'variable' })),
      };
    }
    const when = /^\s*(?:-\s*\{?\s*)?when:\s*["']?/.exec(before);
    const bare = when !== null && !before.includes('${');
    const source = stale ? read(text) : model;
    const [section, id = ''] = model.source.text === text ? model.source.pathAt(at.pos) : [];
    const own = section === 'steps' || section === 'states' ? String(id) : '';
    const from = bare ? when[0].length : 0;
    const found = suggest(before.slice(from), before.length - from, bare, source, own);
    return found && (at.explicit || /[.{\w]$/.test(before))
      ? {
          from: line.from + from + found.from,
          options: found.options.map(({ label, detail }) => ({ label, detail })),
          validFor: /^\w*$/,
        }
      : null;
  }
}
