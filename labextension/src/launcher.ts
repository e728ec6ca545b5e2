import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { NotebookPanel } from '@jupyterlab/notebook';
import { ITranslator, nullTranslator } from '@jupyterlab/translation';

import { agentIcon, agentIconUrl } from './icons';
import { FIRST_CELL, kernelFor } from './newnotebook';

/** The command that makes a notebook whose first cell asks an agent. */
export const NEW_NOTEBOOK = 'agentnb:new-notebook';

/** A launcher card and a palette entry for a new agent notebook. */
export const launcherPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:launcher',
  description: 'Makes a notebook with the agentnb kernel and a first %%agent cell.',
  autoStart: true,
  optional: [ICommandPalette, ILauncher, ITranslator],
  activate: (
    app: JupyterFrontEnd,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    translator: ITranslator | null,
  ) => {
    const trans = (translator ?? nullTranslator).load('agentnb');
    app.commands.addCommand(NEW_NOTEBOOK, {
      label: trans.__('New agent notebook'),
      caption: trans.__('A notebook whose cells ask AI agents'),
      icon: agentIcon,
      describedBy: { args: { type: 'object', properties: { cwd: { type: 'string' } } } },
      execute: args => newNotebook(app, typeof args.cwd === 'string' ? args.cwd : ''),
    });
    palette?.addItem({ command: NEW_NOTEBOOK, category: trans.__('Notebook Operations') });
    // After the first kernel's card: the first card's icon is that of the whole section.
    launcher?.add({ command: NEW_NOTEBOOK, category: 'Notebook', rank: 0.5, kernelIconUrl: agentIconUrl });
  },
};

/** Creates the notebook in a folder, writes its first cell and puts the cursor at the end of it. */
async function newNotebook(app: JupyterFrontEnd, cwd: string): Promise<NotebookPanel> {
  await app.serviceManager.kernelspecs.ready;
  const kernelName = kernelFor(app.serviceManager.kernelspecs.specs);
  const panel = (await app.commands.execute('notebook:create-new', { cwd, kernelName })) as NotebookPanel;
  await panel.context.ready;
  const notebook = panel.content;
  const cell = notebook.model?.sharedModel.cells[0];
  if (cell?.getSource() === '') {
    cell.setSource(FIRST_CELL);
    notebook.activeCellIndex = 0;
    await Promise.all([panel.revealed, notebook.activeCell?.ready]); // only then is there an editor that takes the focus
    notebook.mode = 'edit';
    const editor = notebook.activeCell?.editor;
    editor?.focus();
    editor?.setCursorPosition({
      line: editor.lineCount - 1,
      column: editor.getLine(editor.lineCount - 1)?.length ?? 0,
    });
  }
  return panel;
}
