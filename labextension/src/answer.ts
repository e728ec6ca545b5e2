import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { INotebookTracker, NotebookPanel } from '@jupyterlab/notebook';

import { ACTION_BUTTONS, Action, actionOf } from './action';
import { offerModel } from './models/offer';
import { IServices, Services } from './panels/services';
import { copyText, insertCell, textAround } from './outputs';

/** Answers the buttons in agents' outputs; one listener serves all of them, also those restored from disk. */
export const answerPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:answer',
  description: "Style and buttons of the agents' answers.",
  autoStart: true,
  optional: [INotebookTracker, IServices],
  activate: (app: JupyterFrontEnd, notebooks: INotebookTracker | null, services: Services | null) => {
    app.shell.node.addEventListener('click', event => {
      const button = event.target instanceof Element && event.target.closest<HTMLButtonElement>(ACTION_BUTTONS);
      const action = button && actionOf(button.dataset);
      if (action) {
        event.preventDefault();
        const panel = notebooks?.find(candidate => candidate.node.contains(button)) ?? null;
        if (action.kind === 'fetch') {
          if (services) {
            offerModel(services, action.model, button);
          }
        } else {
          void perform(action, button, panel, notebooks?.currentWidget ?? null);
        }
      }
    });
  },
};

/** Does what a button asks for: `holder` is the notebook that the button is in, `current` the one last worked in. */
async function perform(
  action: Exclude<Action, { kind: 'fetch' }>,
  button: HTMLButtonElement,
  holder: NotebookPanel | null,
  current: NotebookPanel | null,
): Promise<void> {
  switch (action.kind) {
    case 'copy':
      await copyText(action.text ?? textAround(button), button);
      break;
    case 'cell':
      insertCell(action.source, button, holder ?? current);
      break;
    case 'stop':
      // A copy of the output outside its notebook does not say whose kernel it is: better none than a wrong one.
      await holder?.sessionContext.session?.kernel?.interrupt();
  }
}
