import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { answerPlugin } from './answer';
import { launcherPlugin } from './launcher';
import { magicsPlugin } from './magics';

/** All plugins of the extension: one file each. */
const plugins: JupyterFrontEndPlugin<void>[] = [magicsPlugin, answerPlugin, launcherPlugin];

export default plugins;
