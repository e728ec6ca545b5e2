import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { agentsPlugin } from './agents/plugin';
import { answerPlugin } from './answer';
import { editorPlugin } from './editor/plugin';
import { jobsPlugin } from './jobs/plugin';
import { launcherPlugin } from './launcher';
import { magicsPlugin } from './magics';
import { panelsPlugin, servicesPlugin } from './panels/plugin';
import { runsPlugin } from './runs/plugin';
import { standInPlugin } from './standin';
import { statusBarPlugin } from './statusbar';

/** All plugins of the extension: one file each. */
const plugins: JupyterFrontEndPlugin<unknown>[] = [
  magicsPlugin,
  answerPlugin,
  launcherPlugin,
  servicesPlugin,
  panelsPlugin,
  agentsPlugin,
  runsPlugin,
  jobsPlugin,
  editorPlugin,
  statusBarPlugin,
  standInPlugin,
];

export default plugins;
