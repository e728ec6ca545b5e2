import type { GraphView } from './types';

/** What is shown before anybody has chosen anything. */
export const FIRST_VIEW: GraphView = { mode: 'graph', selected: '', part: '', open: [], search: '', viewport: null };
