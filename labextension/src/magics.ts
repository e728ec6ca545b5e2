import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { IEditorLanguageRegistry } from '@jupyterlab/codemirror';
import { INotebookTracker } from '@jupyterlab/notebook';

import { followMagics } from './languages';

/** Edits cells that start with `%%agent` as Markdown. */
export const magicsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:magics',
  description: 'Edits %%agent cells as Markdown.',
  autoStart: true,
  requires: [INotebookTracker],
  optional: [IEditorLanguageRegistry],
  activate: (_app: JupyterFrontEnd, notebooks: INotebookTracker, languages: IEditorLanguageRegistry | null) => {
    notebooks.forEach(panel => followMagics(panel.content, languages));
    notebooks.widgetAdded.connect((_, panel) => followMagics(panel.content, languages));
  },
};
