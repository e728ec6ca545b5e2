import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { agentIcon } from '../icons';
import { IPanels } from '../panels/registry';
import { AgentsPanel } from './AgentsPanel';
import { ChatPanel } from './ChatPanel';

/** The panels of agents: all of them, and a chat with one. */
export const agentsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:agents',
  description: 'Panels of agents: cards of all of them, and chats.',
  autoStart: true,
  requires: [IPanels],
  activate: (_app: JupyterFrontEnd, panels: IPanels) => {
    panels.add({
      id: 'agents',
      title: 'Agents',
      caption: 'Agents: what they can do, how their last runs went, a chat with one',
      icon: agentIcon,
      component: AgentsPanel,
      rank: 1,
    });
    panels.add({
      id: 'chat',
      title: 'Chat',
      caption: 'A conversation with an agent',
      icon: agentIcon,
      component: ChatPanel,
      keyOf: args => args.session ?? '',
    });
  },
};
