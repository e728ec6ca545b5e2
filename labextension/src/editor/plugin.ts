import { ILayoutRestorer, type JupyterFrontEnd, type JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { IEditorServices } from '@jupyterlab/codeeditor';
import { ILauncher } from '@jupyterlab/launcher';
import type { Contents } from '@jupyterlab/services';

import { workflowIcon } from '../icons';
import { IServices, type Services } from '../panels/services';
import { EditorFactory, type EditorDocument } from './widget';

const FACTORY = 'Workflow Editor';
const FILE_TYPE = 'agentnb-workflow';

/** The command that makes a new workflow, and opens it. */
export const NEW_WORKFLOW = 'agentnb:new-workflow';

const START = `name: my workflow

steps: {}
`;

/** Opens workflow documents as a canvas beside their text. */
export const editorPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:editor',
  description: 'Opens *.workflow.yaml as a canvas beside the text.',
  autoStart: true,
  requires: [IServices, IEditorServices],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    services: Services,
    editors: IEditorServices,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
  ) => {
    app.docRegistry.addFileType({
      name: FILE_TYPE,
      displayName: 'Workflow',
      extensions: ['.workflow.yaml', '.workflow.yml', '.workflow.json'],
      mimeTypes: ['application/yaml'],
      contentType: 'file',
      fileFormat: 'text',
      icon: workflowIcon,
    });
    const factory = new EditorFactory(
      { name: FACTORY, label: 'Workflow editor', modelName: 'text', fileTypes: [FILE_TYPE], defaultFor: [FILE_TYPE] },
      services,
      editors,
      app.docRegistry,
    );
    app.docRegistry.addWidgetFactory(factory);
    const tracker = new WidgetTracker<EditorDocument>({ namespace: 'agentnb-editor' });
    factory.widgetCreated.connect((_, widget) => {
      widget.title.icon = workflowIcon;
      widget.context.pathChanged.connect(() => void tracker.save(widget));
      void tracker.add(widget);
    });
    if (restorer) {
      void restorer.restore(tracker, {
        command: 'docmanager:open',
        args: widget => ({ path: widget.context.path, factory: FACTORY }),
        name: widget => widget.context.path,
      });
    }

    app.commands.addCommand(NEW_WORKFLOW, {
      label: args => (args.isPalette ? 'New workflow' : 'Workflow'),
      caption: 'A workflow of agents, tools and people, drawn and written',
      icon: args => (args.isPalette ? undefined : workflowIcon),
      describedBy: { args: { type: 'object', properties: { cwd: { type: 'string' } } } },
      execute: async args => {
        const { contents } = app.serviceManager;
        const path = typeof args.cwd === 'string' ? args.cwd : '';
        const made: Contents.IModel = await contents.newUntitled({ path, type: 'file', ext: '.workflow.yaml' });
        await contents.save(made.path, { type: 'file', format: 'text', content: START });
        return app.commands.execute('docmanager:open', { path: made.path, factory: FACTORY }) as Promise<unknown>;
      },
    });
    palette?.addItem({ command: NEW_WORKFLOW, args: { isPalette: true }, category: 'Agents' });
    launcher?.add({ command: NEW_WORKFLOW, category: 'Agents', rank: 5 });
  },
};
