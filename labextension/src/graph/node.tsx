import { Handle, Position, type Node, type NodeProps } from '@xyflow/react';
import { createContext, memo, useCallback, useContext, type ReactElement } from 'react';

import { EditingContext, EditingParts } from './editing';
import { KindIcon, Sign, StatusIcon } from './icons';
import { useLive, useNodeState, useNow, type Live } from './live';
import { secondLine, spoken } from './state';
import { isTicking } from './status';
import type { GraphNode } from './types';

export interface StepData extends Record<string, unknown> {
  path: string;
  node: GraphNode;
  /** Whether it is unfolded. */
  group: boolean;
}

export type StepNodeType = Node<StepData, 'step'>;

/** What nodes do when they are pressed. */
export interface NodeCommands {
  fold: (path: string) => void;
  /** DOM ID of a node. */
  idOf: (path: string) => string;
}

export const Commands = createContext<NodeCommands>({ fold: () => undefined, idOf: path => path });

/** A step or a state; one that is unfolded is a frame around its sub-workflow. */
export const StepNode = memo(function StepNode({ data }: NodeProps<StepNodeType>): ReactElement {
  const { path, node, group } = data;
  const { fold, idOf } = useContext(Commands);
  const editing = useContext(EditingContext);
  const state = useNodeState(path);
  const selected = useLive(useCallback((live: Live) => live.selected === path, [path]));
  const faint = useLive(useCallback((live: Live) => live.found !== null && !live.found.has(path), [path]));
  const current = useLive(useCallback((live: Live) => live.state.current.includes(path), [path]));
  const ran = useLive(useCallback((live: Live) => live.state.run !== null, []));
  const now = useNow(isTicking(state));
  const shown = state ?? (ran && !isState(node) ? { status: 'queued' as const } : undefined);
  const classes = [
    'agentnb-flow-node',
    node.fan && !group && 'agentnb-flow-fan',
    node.final && 'agentnb-flow-final',
    group && 'agentnb-flow-group',
    selected && 'agentnb-flow-selected',
    current && 'agentnb-flow-current',
    faint && 'agentnb-flow-faint',
  ];
  const line = secondLine(node, shown, now);
  const title = [node.title, line === node.detail ? '' : line, node.hint, state?.error].filter(Boolean).join('\n');
  return (
    <div
      id={idOf(path)}
      className={classes.filter(Boolean).join(' ')}
      data-status={shown?.status ?? ''}
      data-testid={`node:${path}`}
      role="option"
      aria-selected={selected}
      aria-label={spoken(node, shown, now)}
      title={title}
    >
      <Handle type="target" position={Position.Left} isConnectable={editing !== null} />
      <Handle type="source" position={Position.Right} isConnectable={editing !== null} />
      {editing && <EditingParts path={path} editing={editing} />}
      {node.initial && <span className="agentnb-flow-begin" aria-hidden="true" />}
      <KindIcon kind={node.kind} />
      <span className="agentnb-flow-title">{node.title}</span>
      {shown && <StatusIcon status={shown.status} />}
      <span className="agentnb-flow-line">{line}</span>
      {node.conditional && (
        <span className="agentnb-flow-condition">
          <Sign name="condition" />
        </span>
      )}
      {node.graph && (
        <button
          type="button"
          className="agentnb-flow-fold nodrag nopan"
          tabIndex={-1}
          data-testid={`fold:${path}`}
          aria-expanded={group}
          title={group ? 'Fold the sub-workflow' : 'Unfold the sub-workflow'}
          onClick={event => {
            event.stopPropagation();
            fold(path);
          }}
        >
          <Sign name={group ? 'fold' : 'unfold'} />
        </button>
      )}
    </div>
  );
});

function isState(node: GraphNode): boolean {
  return node.kind === 'state' || node.initial === true || node.final === true || node.loop !== undefined;
}
