import { LabIcon } from '@jupyterlab/ui-components';

import agentSvg from '../style/icons/agent.svg';
import jobsSvg from '../style/icons/jobs.svg';
import runsSvg from '../style/icons/runs.svg';
import workflowSvg from '../style/icons/workflow.svg';

/** A prompt with a spark: agentnb's icon, in the theme's icon colour. */
export const agentIcon = new LabIcon({ name: 'agentnb:agent', svgstr: agentSvg });

/** The same as an image, in the orange of JupyterLab's notebook icon: the launcher's notebook cards take no other. */
export const agentIconUrl = `data:image/svg+xml,${encodeURIComponent(agentSvg.replace('#616161', '#F37726'))}`;

/** Bars on a time axis: runs. */
export const runIcon = new LabIcon({ name: 'agentnb:runs', svgstr: runsSvg });

/** A clock: jobs. */
export const jobIcon = new LabIcon({ name: 'agentnb:jobs', svgstr: jobsSvg });

/** Two steps, one after the other: a workflow. */
export const workflowIcon = new LabIcon({ name: 'agentnb:workflow', svgstr: workflowSvg });
