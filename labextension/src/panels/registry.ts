import { LabIcon } from '@jupyterlab/ui-components';
import { Token } from '@lumino/coreutils';
import { DisposableDelegate, IDisposable } from '@lumino/disposable';
import { ISignal, Signal } from '@lumino/signaling';
import { ComponentType } from 'react';

/** With what a panel is opened, and what it is restored with after a reload. */
export type PanelArgs = Readonly<Record<string, string>>;

/** What a panel's component is given; everything else it takes from `useServices`. */
export interface PanelProps {
  args: PanelArgs;
  /** Keeps other arguments, so that a reload comes back to them. */
  keep: (args: PanelArgs) => void;
  /** Names the tab. */
  rename: (title: string) => void;
  close: () => void;
}

/** A panel of agentnb: it has a tab of its own in the main area. */
export interface Panel {
  id: string;
  title: string;
  caption: string;
  icon: LabIcon;
  component: ComponentType<PanelProps>;
  /** Tells tabs of the same panel apart; a panel without has one tab. */
  keyOf?: (args: PanelArgs) => string;
  /** Its place in the launcher and the palette; a panel without is opened by others only. */
  rank?: number;
}

/** The panels that there are: plugins add theirs. */
export interface IPanels {
  /** Adds a panel; an ID is given once. */
  add: (panel: Panel) => IDisposable;
  get: (id: string) => Panel | undefined;
  /** In the order of their rank. */
  all: () => Panel[];
  readonly added: ISignal<IPanels, Panel>;
}

export const IPanels = new Token<IPanels>(
  '@agentnb/labextension:IPanels',
  'The panels of agentnb: a plugin adds its own, with an ID, a title, an icon and a React component.',
);

export class Panels implements IPanels {
  readonly added = new Signal<this, Panel>(this);
  private readonly panels = new Map<string, Panel>();

  add(panel: Panel): IDisposable {
    if (this.panels.has(panel.id)) {
      throw new Error(`there is a panel ${panel.id} already`);
    }
    this.panels.set(panel.id, panel);
    this.added.emit(panel);
    return new DisposableDelegate(() => this.panels.delete(panel.id));
  }

  get(id: string): Panel | undefined {
    return this.panels.get(id);
  }

  all(): Panel[] {
    return [...this.panels.values()].sort((a, b) => (a.rank ?? Infinity) - (b.rank ?? Infinity));
  }
}
