import { useStore } from '@xyflow/react';
import { useContext, useEffect, useRef, type ReactElement } from 'react';

import { LiveContext, type Live } from './live';
import type { Placed } from './place';
import type { NodeStatus } from './types';

/** Below this zoom no label can be read, and a graph of so many nodes is drawn as a picture. */
export const OVERVIEW_ZOOM = 0.35;
export const OVERVIEW_NODES = 100;

const TONES: Record<NodeStatus | 'none', string> = {
  none: '--f-line',
  queued: '--f-line',
  skipped: '--f-edge',
  cancelled: '--f-edge',
  running: '--f-brand',
  waiting: '--f-warn',
  stale: '--f-warn',
  completed: '--f-good',
  replayed: '--f-good',
  failed: '--f-bad',
};

/** All of a large graph as one picture: boxes and lines, in the colours of their status. */
export function Overview({ graph }: { graph: Placed }): ReactElement {
  const host = useRef<HTMLCanvasElement>(null);
  const live = useContext(LiveContext);
  const transform = useStore(store => store.transform);
  const width = useStore(store => store.width);
  const height = useStore(store => store.height);
  useEffect(() => {
    const drawn = (): void => draw(host.current, graph, live, transform, width, height);
    drawn();
    return live.subscribe(drawn);
  }, [graph, live, transform, width, height]);
  return <canvas ref={host} className="agentnb-flow-overview" data-testid="overview" aria-hidden="true" />;
}

function draw(
  canvas: HTMLCanvasElement | null,
  graph: Placed,
  live: Live,
  [x, y, zoom]: readonly [number, number, number],
  width: number,
  height: number,
): void {
  const context = canvas?.getContext('2d');
  if (!canvas || !context) {
    return;
  }
  const scale = window.devicePixelRatio || 1;
  if (canvas.width !== Math.round(width * scale) || canvas.height !== Math.round(height * scale)) {
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
  }
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, height);
  context.setTransform(scale * zoom, 0, 0, scale * zoom, scale * x, scale * y);
  const style = getComputedStyle(canvas);
  const colour = (name: string): string => style.getPropertyValue(name).trim() || '#888';
  context.strokeStyle = colour('--f-edge');
  context.lineWidth = 1 / zoom;
  context.beginPath();
  for (const { points } of graph.edges) {
    points.forEach(([left, top], place) => (place ? context.lineTo(left, top) : context.moveTo(left, top)));
  }
  context.stroke();
  const tones = Object.fromEntries(Object.entries(TONES).map(([status, name]) => [status, colour(name)]));
  const [face, brand] = [colour('--f-face'), colour('--f-brand')];
  for (const box of graph.nodes) {
    const faint = live.found !== null && !live.found.has(box.path);
    context.globalAlpha = faint ? 0.2 : 1;
    const tone = tones[live.state.steps[box.path]?.status ?? 'none'] ?? face;
    if (box.group) {
      context.strokeStyle = tone;
      context.strokeRect(box.x, box.y, box.width, box.height);
    } else {
      context.fillStyle = tone;
      context.fillRect(box.x, box.y, box.width, box.height);
    }
    if (box.path === live.selected) {
      context.strokeStyle = brand;
      context.lineWidth = 3 / zoom;
      context.strokeRect(box.x, box.y, box.width, box.height);
      context.lineWidth = 1 / zoom;
    }
  }
  context.globalAlpha = 1;
}
