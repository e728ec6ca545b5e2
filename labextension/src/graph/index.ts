export { EMPTY, merged } from './state';
export { mountQuestion, type Given } from './question';
export type * from './types';
export { WorkflowGraph } from './WorkflowGraph';
export { FIRST_VIEW } from './view';
