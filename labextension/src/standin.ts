import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { CodeCell } from '@jupyterlab/cells';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';
import { IOutputModel } from '@jupyterlab/rendermime';

/** What the widget manager writes where a widget isn't there yet, or not any more. */
const MISSING = ['Loading widget...', 'Error displaying widget: model not found'];

/**
 * Shows the picture that stands beside each of our widgets in the notebook where the widget itself can't be shown: in a notebook that was
 * saved, or whose kernel is gone.
 */
export const standInPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:stand-in',
  description: 'Pictures in the place of widgets that are gone.',
  autoStart: true,
  optional: [INotebookTracker],
  activate: (_app: JupyterFrontEnd, notebooks: INotebookTracker | null) => {
    notebooks?.widgetAdded.connect((_, panel) => {
      const observer = new MutationObserver(() => void standIn(panel));
      observer.observe(panel.content.node, { childList: true, subtree: true });
      panel.disposed.connect(() => observer.disconnect());
    });
  },
};

async function standIn(panel: NotebookPanel): Promise<void> {
  for (const node of panel.content.node.querySelectorAll<HTMLElement>('.jp-OutputArea-output')) {
    if (node.childElementCount === 0 && MISSING.includes(node.textContent ?? '')) {
      const model = modelOf(panel, node);
      const html = model?.data['text/html'];
      if (model && typeof html === 'string' && html.includes('class="agentnb-')) {
        await show(panel, model, html, node);
      }
    }
  }
}

/** Puts the picture in the place of the words; the widget, should it come, clears the place. */
async function show(panel: NotebookPanel, output: IOutputModel, html: string, node: HTMLElement): Promise<void> {
  const { rendermime } = panel.content;
  const said = node.textContent;
  const renderer = rendermime.createRenderer('text/html');
  await renderer.renderModel(rendermime.createModel({ data: { 'text/html': html }, trusted: output.trusted }));
  if (node.childElementCount === 0 && node.textContent === said) {
    node.replaceChildren(renderer.node);
  }
}

function modelOf(panel: NotebookPanel, node: HTMLElement): IOutputModel | undefined {
  const cell = panel.content.widgets.find(one => one instanceof CodeCell && one.node.contains(node));
  const area = cell instanceof CodeCell ? cell.outputArea : undefined;
  const place = area?.widgets.findIndex(one => one.node.contains(node)) ?? -1;
  return place < 0 ? undefined : area?.model.get(place);
}
