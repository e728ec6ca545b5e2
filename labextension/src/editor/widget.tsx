import type { IEditorServices } from '@jupyterlab/codeeditor';
import { ABCWidgetFactory, DocumentRegistry, DocumentWidget } from '@jupyterlab/docregistry';
import { ReactWidget } from '@jupyterlab/ui-components';
import { SplitPanel, Widget } from '@lumino/widgets';
import type { JSX } from 'react';

import { Frame } from '../panels/Frame';
import { ServicesProvider, type Services } from '../panels/services';
import { Editor } from './Editor';
import { EditorStore } from './store';
import { textPane } from './textpane';

type Context = DocumentRegistry.IContext<DocumentRegistry.ICodeModel>;

/** Narrower than this the text stands below the canvas, in pixels. */
const BESIDE = 1150;
const SHARES = { horizontal: [0.64, 0.36], vertical: [0.6, 0.4] };

/** The canvas as a widget. */
class CanvasWidget extends ReactWidget {
  constructor(
    private readonly store: EditorStore,
    private readonly services: Services,
  ) {
    super();
    this.addClass('agentnb-panel');
    this.addClass('agentnb-editor-pane');
  }

  protected override render(): JSX.Element {
    return (
      <ServicesProvider value={this.services}>
        <Frame>
          <Editor store={this.store} />
        </Frame>
      </ServicesProvider>
    );
  }
}

/** Canvas and text of one document, side by side. */
export class EditorPanel extends SplitPanel {
  readonly store: EditorStore;

  constructor(context: Context, services: Services, editors: IEditorServices) {
    super({ orientation: 'horizontal', spacing: 1 });
    this.addClass('agentnb-editor-split');
    this.store = new EditorStore(context, services.client);
    const canvas = new CanvasWidget(this.store, services);
    const text: Widget = textPane(editors, context, this.store);
    this.addWidget(canvas);
    this.addWidget(text);
    this.setRelativeSizes(SHARES.horizontal);
  }

  protected override onResize(message: Widget.ResizeMessage): void {
    super.onResize(message);
    const wanted = message.width > 0 && message.width < BESIDE ? 'vertical' : 'horizontal';
    if (message.width > 0 && wanted !== this.orientation) {
      this.orientation = wanted;
      this.setRelativeSizes(SHARES[wanted]);
    }
  }

  override dispose(): void {
    if (!this.isDisposed) {
      this.store.dispose();
      super.dispose();
    }
  }
}

export type EditorDocument = DocumentWidget<EditorPanel, DocumentRegistry.ICodeModel>;

/** Makes the editors of workflow documents. */
export class EditorFactory extends ABCWidgetFactory<EditorDocument, DocumentRegistry.ICodeModel> {
  constructor(
    options: DocumentRegistry.IWidgetFactoryOptions<EditorDocument>,
    private readonly services: Services,
    private readonly editors: IEditorServices,
    private readonly registry: DocumentRegistry,
  ) {
    super(options);
  }

  /** Where documents are read and shared: as JupyterLab's own text editor has it, also where people edit together. */
  override get contentProviderId(): string | undefined {
    return this.registry?.getWidgetFactory('Editor')?.contentProviderId;
  }

  protected override createNewWidget(context: Context): EditorDocument {
    const content = new EditorPanel(context, this.services, this.editors);
    const widget = new DocumentWidget({ content, context });
    widget.toolbar.hide();
    return widget;
  }
}
