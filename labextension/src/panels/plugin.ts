import { ILayoutRestorer, JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { ICommandPalette, WidgetTracker } from '@jupyterlab/apputils';
import { ILauncher } from '@jupyterlab/launcher';
import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { ISettingRegistry } from '@jupyterlab/settingregistry';

import { Client } from '../api/client';
import { Live } from '../live/live';
import { IPanels, Panel, PanelArgs, Panels } from './registry';
import { DEFAULT_SETTINGS, IServices, PanelSettings, Services } from './services';
import { withoutPictures } from './markdown';
import { PanelWidget, widgetId } from './widget';

/** The command that opens a panel: `{panel: ID, …}`, the rest is the panel's arguments. */
export const OPEN_PANEL = 'agentnb:open-panel';

const PLUGIN = '@agentnb/labextension:panels';
const CATEGORY = 'Agents';

/** The frame of the panels: opens them as tabs, offers them in launcher and palette, brings them back after a reload. */
export const panelsPlugin: JupyterFrontEndPlugin<IPanels> = {
  id: PLUGIN,
  description: 'Panels of agentnb in the main area: agents, runs, and those that others add.',
  autoStart: true,
  provides: IPanels,
  requires: [IServices],
  optional: [ICommandPalette, ILauncher, ILayoutRestorer],
  activate: (
    app: JupyterFrontEnd,
    services: Services,
    palette: ICommandPalette | null,
    launcher: ILauncher | null,
    restorer: ILayoutRestorer | null,
  ): IPanels => {
    const panels = new Panels();
    const tracker = new WidgetTracker<PanelWidget>({ namespace: 'agentnb-panels' });
    const panelOf = (args: object): Panel | undefined =>
      'panel' in args && typeof args.panel === 'string' ? panels.get(args.panel) : undefined;

    app.commands.addCommand(OPEN_PANEL, {
      label: args => panelOf(args)?.title ?? 'Open an agentnb panel',
      caption: args => panelOf(args)?.caption ?? '',
      icon: args => (args.isPalette ? undefined : panelOf(args)?.icon),
      describedBy: { args: { type: 'object', properties: { panel: { type: 'string' } }, required: ['panel'] } },
      execute: args => {
        const panel = panelOf(args);
        if (!panel) {
          throw new Error(`agentnb has no panel ${JSON.stringify(args.panel)}`);
        }
        const given = argsOf(args);
        let widget = tracker.find(found => found.id === widgetId(panel, given));
        if (widget) {
          widget.reopen(given);
        } else {
          widget = new PanelWidget(panel, given, services, kept => void tracker.save(kept));
          void tracker.add(widget);
        }
        if (!widget.isAttached) {
          app.shell.add(widget, 'main', { type: 'agentnb' });
        }
        app.shell.activateById(widget.id);
        return widget;
      },
    });
    services.opener = (panel, args) => void app.commands.execute(OPEN_PANEL, { ...args, panel });

    services.fileOpener = path => void app.commands.execute('docmanager:open', { path });

    panels.added.connect((_, panel) => {
      if (panel.rank !== undefined) {
        const args = { panel: panel.id };
        palette?.addItem({ command: OPEN_PANEL, args: { ...args, isPalette: true }, category: CATEGORY });
        launcher?.add({ command: OPEN_PANEL, args, category: CATEGORY, rank: panel.rank });
      }
    });
    if (restorer) {
      void restorer.restore(tracker, {
        command: OPEN_PANEL,
        args: widget => ({ ...widget.args, panel: widget.panel.id }),
        name: widget => widget.id,
      });
    }
    return panels;
  },
};

/** What the panels work with: one client and one stream for the page. */
export const servicesPlugin: JupyterFrontEndPlugin<Services> = {
  id: '@agentnb/labextension:services',
  description: "The client of agentnb's REST API, and what is read of the journal while the page is open.",
  autoStart: true,
  provides: IServices,
  optional: [IRenderMimeRegistry, ISettingRegistry],
  activate: (
    app: JupyterFrontEnd,
    rendermime: IRenderMimeRegistry | null,
    registry: ISettingRegistry | null,
  ): Services => {
    const client = new Client(app.serviceManager.serverSettings);
    const settings = { ...DEFAULT_SETTINGS };
    const services = new Services(client, new Live(client), rendermime && withoutPictures(rendermime), settings);
    void registry?.load(PLUGIN).then(
      loaded => {
        const take = (): void => {
          Object.assign(settings, loaded.composite as Partial<PanelSettings>);
          services.settingsChanged.emit();
        };
        loaded.changed.connect(take);
        take();
      },
      (reason: unknown) => console.error('agentnb: the settings of the panels could not be read', reason),
    );
    return services;
  },
};

function argsOf(args: Readonly<Record<string, unknown>>): PanelArgs {
  const own = Object.entries(args).filter(
    (entry): entry is [string, string] => typeof entry[1] === 'string' && entry[0] !== 'panel',
  );
  return Object.fromEntries(own);
}
