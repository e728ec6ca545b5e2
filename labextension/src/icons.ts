import { LabIcon } from '@jupyterlab/ui-components';

import agentSvg from '../style/icons/agent.svg';

/** A prompt with a spark: agentnb's icon, in the theme's icon colour. */
export const agentIcon = new LabIcon({ name: 'agentnb:agent', svgstr: agentSvg });
