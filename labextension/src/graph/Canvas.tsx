import {
  MiniMap,
  ReactFlow,
  ReactFlowProvider,
  useReactFlow,
  useStore,
  Position,
  type NodeHandle,
  type Viewport,
} from '@xyflow/react';
import {
  useCallback,
  useContext,
  useEffect,
  useMemo,
  useRef,
  type KeyboardEvent,
  type ReactElement,
  type ReactNode,
} from 'react';

import { LineEdge, type LineEdgeType } from './edge';
import { EditingContext, useDrops, type Editing } from './editing';
import { Sign } from './icons';
import { LiveContext } from './live';
import { Overview, OVERVIEW_NODES, OVERVIEW_ZOOM } from './Overview';
import { StepNode, type StepNodeType } from './node';
import type { Placed, PlacedEdge, PlacedNode } from './place';
import { neighbour, nextLine, type Direction } from './walk';

const NO_NODES: StepNodeType[] = [];
const NO_EDGES: LineEdgeType[] = [];
const nodeTypes = { step: StepNode };
const edgeTypes = { line: LineEdge };
/** From this many nodes on there is a map. */
const MAP_FROM = 12;
/** Smaller than this a label can't be read: a large graph is shown from its beginning instead of as a whole. */
const READABLE = 0.6;
const MARGIN = 28;

export interface CanvasProps {
  graph: Placed;
  name: string;
  selected: string;
  viewport: Viewport | null;
  onSelect: (path: string) => void;
  onViewport: (viewport: Viewport) => void;
  onFold: (path: string) => void;
  onSearch: () => void;
  activeId: string | undefined;
  /** What can be changed here; nothing without. */
  editing?: Editing;
  /** What else stands on the canvas. */
  children?: ReactNode;
}

export function Canvas(props: CanvasProps): ReactElement {
  return (
    <ReactFlowProvider>
      <EditingContext.Provider value={props.editing ?? null}>
        <Flow {...props} />
      </EditingContext.Provider>
    </ReactFlowProvider>
  );
}

const KEYS: Record<string, Direction> = { ArrowRight: 'right', ArrowLeft: 'left', ArrowUp: 'up', ArrowDown: 'down' };

function Flow({
  graph,
  name,
  selected,
  viewport,
  onSelect,
  onViewport,
  onFold,
  onSearch,
  activeId,
  editing,
  children,
}: CanvasProps): ReactElement {
  const flow = useReactFlow<StepNodeType, LineEdgeType>();
  const live = useContext(LiveContext);
  const host = useRef<HTMLDivElement>(null);
  const nodes = useMemo(() => graph.nodes.map(nodeOf), [graph]);
  const edges = useMemo(() => [...graph.edges.map(edgeOf(graph)), ...loopsOf(graph)], [graph]);
  const large = graph.nodes.length >= MAP_FROM;
  const drops = useDrops(graph, editing);
  const far = useStore(store => store.transform[2] < OVERVIEW_ZOOM) && graph.nodes.length >= OVERVIEW_NODES;

  const fit = useCallback(() => void flow.setViewport(fitting(host.current, graph), { duration: 0 }), [flow, graph]);

  const show = useCallback(
    (path: string) => {
      const box = graph.nodes.find(one => one.path === path) ?? boxOf(graph.edges.find(one => one.path === path));
      if (box && host.current) {
        const { x, y, zoom } = flow.getViewport();
        const { clientWidth, clientHeight } = host.current;
        const [left, top] = [box.x * zoom + x, box.y * zoom + y];
        const inside =
          left > 0 && top > 0 && left + box.width * zoom < clientWidth && top + box.height * zoom < clientHeight;
        if (!inside) {
          void flow.setCenter(box.x + box.width / 2, box.y + box.height / 2, {
            zoom: Math.max(zoom, READABLE),
            duration: 0,
          });
        }
      }
    },
    [flow, graph],
  );

  const chosen = editing?.edge ?? '';
  const line = graph.edges.find(one => one.path === chosen);
  const around = useRef(''); // the step whose lines are gone through
  useEffect(() => {
    if (selected || chosen) {
      around.current = selected || around.current;
      show(selected || chosen);
    }
  }, [selected, chosen, show]);

  useEffect(() => {
    // What is chosen stays in sight where the room changes, as a sheet that opens makes it do.
    const observer = new ResizeObserver(() => selected && show(selected));
    if (host.current) {
      observer.observe(host.current);
    }
    return () => observer.disconnect();
  }, [selected, show]);

  const onKeyDown = (event: KeyboardEvent): void => {
    const direction = KEYS[event.key];
    if (event.ctrlKey || event.metaKey || event.altKey) {
      return;
    }
    if (line && direction) {
      if (direction === 'left' || direction === 'right') {
        onSelect(direction === 'left' ? line.source : line.target);
      } else {
        editing?.onEdge(nextLine(graph, around.current, chosen, direction === 'up' ? -1 : 1));
      }
    } else if (direction) {
      onSelect(neighbour(graph, live.selected, direction));
    } else if (event.key === 'l' && editing) {
      editing.onEdge(nextLine(graph, around.current, chosen));
    } else if (event.key === '+' || event.key === '=') {
      void flow.zoomIn({ duration: 0 });
    } else if (event.key === '-') {
      void flow.zoomOut({ duration: 0 });
    } else if (event.key === '0') {
      fit();
    } else if (event.key === '/') {
      onSearch();
    } else if (event.key === ' ' && graph.nodes.find(box => box.path === live.selected)?.node.graph) {
      onFold(live.selected);
    } else {
      return;
    }
    event.preventDefault();
    event.stopPropagation();
  };

  return (
    <div
      ref={host}
      className="agentnb-flow-canvas"
      data-testid="graph-canvas"
      role="listbox"
      tabIndex={0}
      aria-label={`Graph of ${name}. Arrow keys go from step to step, plus and minus zoom, 0 shows all, ${
        editing
          ? 'L goes to the lines of a step, slash adds a step, delete removes what is chosen.'
          : 'slash searches, space unfolds.'
      }`}
      aria-activedescendant={activeId}
      onKeyDown={onKeyDown}
      {...drops}
    >
      <ReactFlow
        nodes={far ? NO_NODES : nodes}
        edges={far ? NO_EDGES : edges}
        nodeTypes={nodeTypes}
        edgeTypes={edgeTypes}
        defaultViewport={viewport ?? { x: MARGIN, y: MARGIN, zoom: 1 }}
        onInit={() => {
          if (!viewport) {
            fit();
          }
        }}
        onNodeClick={(_, node) => onSelect(node.id)}
        onEdgeClick={(_, edge) => editing?.onEdge(edge.id)}
        onConnect={({ source, target }) => editing?.onConnect(source, target)}
        isValidConnection={({ source, target }) => editing?.mayConnect(source, target) ?? false}
        onPaneClick={event => onSelect(far ? at(event.clientX, event.clientY) : '')}
        onMoveEnd={(_, moved) => onViewport(moved)}
        minZoom={0.05}
        maxZoom={2}
        onlyRenderVisibleElements
        nodesDraggable={false}
        nodesConnectable={editing !== undefined}
        nodesFocusable={false}
        edgesFocusable={false}
        elementsSelectable={false}
        disableKeyboardA11y
        deleteKeyCode={null}
        selectionKeyCode={null}
        multiSelectionKeyCode={null}
        panActivationKeyCode={null}
        zoomActivationKeyCode="Control"
        zoomOnScroll={editing !== undefined}
        preventScrolling={editing !== undefined}
        zoomOnDoubleClick={false}
        proOptions={{ hideAttribution: true }}
      >
        {far && <Overview graph={graph} />}
        {large && !far && (
          <MiniMap pannable zoomable ariaLabel="Map of the whole graph" nodeClassName={mapClass} nodeStrokeWidth={0} />
        )}
        {children}
      </ReactFlow>
      <div className="agentnb-flow-zoom" role="group" aria-label="Zoom">
        <button
          type="button"
          title="Zoom in (+)"
          data-testid="zoom-in"
          onClick={() => void flow.zoomIn({ duration: 0 })}
        >
          <Sign name="in" />
        </button>
        <button
          type="button"
          title="Zoom out (-)"
          data-testid="zoom-out"
          onClick={() => void flow.zoomOut({ duration: 0 })}
        >
          <Sign name="out" />
        </button>
        <button
          type="button"
          title="Show all (0)"
          data-testid="zoom-fit"
          onClick={() => void flow.setViewport(whole(host.current, graph))}
        >
          <Sign name="fit" />
        </button>
      </div>
    </div>
  );

  /** The node at a place of the page. */
  function at(clientX: number, clientY: number): string {
    const { x, y } = flow.screenToFlowPosition({ x: clientX, y: clientY });
    const slack = 4 / flow.getZoom();
    const inside = (box: PlacedNode): boolean =>
      x > box.x - slack && x < box.x + box.width + slack && y > box.y - slack && y < box.y + box.height + slack;
    return graph.nodes.filter(inside).at(-1)?.path ?? '';
  }

  function mapClass(node: StepNodeType): string {
    return `agentnb-flow-map-${live.state.steps[node.id]?.status ?? 'none'}`;
  }
}

function nodeOf(box: PlacedNode): StepNodeType {
  const { path, node, group, x, y, width, height } = box;
  const handle = (type: 'source' | 'target'): NodeHandle => ({
    id: null, // as the handles in the page have it: by that a line that is drawn finds where it may end
    type,
    position: type === 'source' ? Position.Right : Position.Left,
    x: type === 'source' ? width : 0,
    y: height / 2,
    width: 1,
    height: 1,
  });
  return {
    id: path,
    type: 'step',
    position: { x, y },
    width,
    height,
    handles: [handle('source'), handle('target')],
    data: { path, node, group },
    zIndex: path.split('/').length * 2,
  };
}

function edgeOf(graph: Placed): (edge: Placed['edges'][number]) => LineEdgeType {
  const known = new Set(graph.nodes.map(box => box.path));
  return placed => ({
    id: placed.path,
    type: 'line',
    source: placed.source,
    target: placed.target,
    hidden: !known.has(placed.source),
    data: { placed, loop: null },
    zIndex: placed.path.split('/').length * 2 - 1,
  });
}

/** The lines from states to themselves. */
function loopsOf(graph: Placed): LineEdgeType[] {
  return graph.nodes
    .filter(box => box.node.loop !== undefined)
    .map(({ path, node, x, y, width }) => {
      const edge = {
        id: `${node.id}→${node.id}`,
        source: node.id,
        target: node.id,
        points: [],
        label: node.loop ?? '',
      };
      const outer = path.slice(0, path.length - node.id.length);
      return {
        id: outer + edge.id,
        type: 'line',
        source: path,
        target: path,
        data: {
          placed: { path: outer + edge.id, edge, source: path, target: path, points: [] },
          loop: [x + width / 2, y],
        },
      };
    });
}

/** What a line takes up. */
function boxOf(edge: PlacedEdge | undefined): { x: number; y: number; width: number; height: number } | undefined {
  if (!edge?.points.length) {
    return undefined;
  }
  const [xs, ys] = [edge.points.map(([x]) => x), edge.points.map(([, y]) => y)];
  const [x, y] = [Math.min(...xs), Math.min(...ys)];
  return { x, y, width: Math.max(...xs) - x, height: Math.max(...ys) - y };
}

/** All of the graph, however small it becomes. */
function whole(host: HTMLElement | null, graph: Placed): Viewport {
  const [width, height] = [(host?.clientWidth ?? 600) - 2 * MARGIN, (host?.clientHeight ?? 300) - 2 * MARGIN];
  const zoom = Math.min(1, width / Math.max(graph.width, 1), height / Math.max(graph.height, 1));
  return {
    x: MARGIN + (width - graph.width * zoom) / 2,
    y: MARGIN + (height - graph.height * zoom) / 2,
    zoom,
  };
}

/** All of the graph, or of a large one its beginning, so that labels can be read. */
function fitting(host: HTMLElement | null, graph: Placed): Viewport {
  const found = whole(host, graph);
  if (found.zoom >= READABLE) {
    return found;
  }
  const zoom = 0.8;
  const height = (host?.clientHeight ?? 300) - 2 * MARGIN;
  const first = graph.nodes[0];
  const middle = graph.height * zoom <= height ? graph.height / 2 : first ? first.y + first.height / 2 : 0;
  const y = MARGIN + height / 2 - middle * zoom;
  return { x: MARGIN, y: graph.height * zoom <= height ? y : Math.min(y, MARGIN), zoom };
}
