import { IRenderMimeRegistry } from '@jupyterlab/rendermime';
import { Token } from '@lumino/coreutils';
import { Signal } from '@lumino/signaling';
import { createContext, useContext } from 'react';

import { Client } from '../api/client';
import { Live } from '../live/live';
import { PanelArgs } from './registry';

/** What the user has set. */
export interface PanelSettings {
  /** The filter that the runs begin with. */
  runsFilter: string;
  /** Whether a notification says that a run waits for an answer. */
  notify: boolean;
  /** Whether a notification says that a run has failed. */
  notifyFailed: boolean;
  /** Whether the status bar says how many runs go on. */
  statusBar: boolean;
}

export const DEFAULT_SETTINGS: PanelSettings = { runsFilter: '', notify: true, notifyFailed: true, statusBar: true };

/** What every panel works with. */
export class Services {
  /** Opens a panel; the frame puts it here. */
  opener: (panel: string, args: PanelArgs) => void = () => undefined;

  /** Opens a file of the server's folder; the frame puts it here. */
  fileOpener: (path: string) => void = () => undefined;

  readonly settingsChanged = new Signal<this, void>(this);

  /**
   * @param rendermime - Renders Markdown; null where JupyterLab has none.
   * @param settings - Changes with what the user sets.
   */
  constructor(
    readonly client: Client,
    readonly live: Live,
    readonly rendermime: IRenderMimeRegistry | null,
    readonly settings: Readonly<PanelSettings>,
  ) {}

  readonly open = (panel: string, args: PanelArgs = {}): void => this.opener(panel, args);

  readonly openFile = (path: string): void => this.fileOpener(path);
}

export const IServices = new Token<Services>(
  '@agentnb/labextension:IServices',
  "The client of agentnb's REST API, and what is read of the journal while the page is open.",
);

const Context = createContext<Services | null>(null);

export const ServicesProvider = Context.Provider;

export function useServices(): Services {
  const services = useContext(Context);
  if (!services) {
    throw new Error('a panel is drawn outside its frame');
  }
  return services;
}
