import { JupyterFrontEnd, JupyterFrontEndPlugin } from '@jupyterlab/application';

import { jobIcon } from '../icons';
import { IPanels } from '../panels/registry';
import { JobPanel } from './JobPanel';
import { JobsPanel } from './JobsPanel';

/** The panels of jobs: all of them, and one. */
export const jobsPlugin: JupyterFrontEndPlugin<void> = {
  id: '@agentnb/labextension:jobs',
  description: 'Panels of jobs: when they are due, how they went, a run now.',
  autoStart: true,
  requires: [IPanels],
  activate: (_app: JupyterFrontEnd, panels: IPanels) => {
    panels.add({
      id: 'jobs',
      title: 'Agent jobs', // jupyter-scheduler's card is called Jobs
      caption: 'Notebooks and workflows that run by themselves: when they are due, how they went',
      icon: jobIcon,
      component: JobsPanel,
      rank: 3,
    });
    panels.add({
      id: 'job',
      title: 'Job',
      caption: 'One job: its next times, its history, its parameters',
      icon: jobIcon,
      component: JobPanel,
      keyOf: args => args.job ?? '',
    });
  },
};
