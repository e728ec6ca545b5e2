import { JupyterFrontEndPlugin } from '@jupyterlab/application';

import { answerPlugin } from './answer';
import { launcherPlugin } from './launcher';
import { magicsPlugin } from './magics';
import { standInPlugin } from './standin';

/** All plugins of the extension: one file each. */
const plugins: JupyterFrontEndPlugin<void>[] = [magicsPlugin, answerPlugin, launcherPlugin, standInPlugin];

export default plugins;
