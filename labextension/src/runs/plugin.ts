import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';
import { historyIcon } from '@jupyterlab/ui-components';

import { runIcon } from '../icons';
import { IPanels } from '../panels/registry';
import { ComparePanel } from './ComparePanel';
import { RunPanel } from './RunPanel';
import { RunsPanel } from './RunsPanel';

/** The panels of runs: all of them, one, and two side by side. */
export const runsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:runs',
  description: 'Panels of runs: a live table, one run, two runs compared.',
  autoStart: true,
  requires: [IPanels],
  activate: (_app: JupyterFrontEnd, panels: IPanels) => {
    panels.add({
      id: 'runs',
      title: 'Runs',
      caption: 'Runs of agents and workflows, live',
      icon: runIcon,
      component: RunsPanel,
      rank: 2,
    });
    panels.add({
      id: 'run',
      title: 'Run',
      caption: 'One run of an agent or a workflow',
      icon: runIcon,
      component: RunPanel,
      keyOf: args => args.run ?? '',
    });
    panels.add({
      id: 'compare',
      title: 'Compare runs',
      caption: 'Two runs side by side',
      icon: historyIcon,
      component: ComparePanel,
      keyOf: args => `${args.a ?? ''}-${args.b ?? ''}`,
    });
  },
};
