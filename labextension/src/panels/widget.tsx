import { ReactWidget } from '@jupyterlab/ui-components';
import { Message } from '@lumino/messaging';
import { JSX } from 'react';

import { Frame } from './Frame';
import { Panel, PanelArgs } from './registry';
import { Services, ServicesProvider } from './services';

/** The ID of the tab in which a panel is open. */
export function widgetId(panel: Panel, args: PanelArgs): string {
  const key = panel.keyOf?.(args);
  return key ? `agentnb-${panel.id}-${key}` : `agentnb-${panel.id}`;
}

/** A panel as a tab of the main area. */
export class PanelWidget extends ReactWidget {
  /**
   * @param panel - What it shows.
   * @param args - With what it was opened.
   * @param services - What every panel works with.
   * @param onKept - Is called where it keeps other arguments.
   */
  constructor(
    readonly panel: Panel,
    private current: PanelArgs,
    private readonly services: Services,
    private readonly onKept: (widget: PanelWidget) => void,
  ) {
    super();
    this.id = widgetId(panel, current);
    this.title.label = panel.title;
    this.title.caption = panel.caption;
    this.title.icon = panel.icon;
    this.title.closable = true;
    this.addClass('agentnb-panel');
    this.node.tabIndex = -1;
    this.node.dataset.panel = panel.id;
  }

  get args(): PanelArgs {
    return this.current;
  }

  /** Shows it with other arguments. */
  reopen(args: PanelArgs): void {
    if (Object.keys(args).length) {
      this.keep(args);
    }
  }

  protected override onActivateRequest(): void {
    (this.node.querySelector<HTMLElement>('[data-agentnb-first]') ?? this.node).focus();
  }

  protected override onCloseRequest(message: Message): void {
    super.onCloseRequest(message);
    this.dispose();
  }

  protected override render(): JSX.Element {
    const { component: Content } = this.panel;
    return (
      <ServicesProvider value={this.services}>
        <Frame>
          <Content args={this.current} keep={this.keep} rename={this.rename} close={this.shut} />
        </Frame>
      </ServicesProvider>
    );
  }

  private readonly keep = (args: PanelArgs): void => {
    this.current = { ...this.current, ...args };
    this.onKept(this);
    this.update();
  };

  private readonly rename = (title: string): void => {
    this.title.label = title;
  };

  private readonly shut = (): void => {
    this.close();
  };
}
