/** The canvas with its pointer and keyboard; what is drawn is flame-layout's, how is flame-paint's. */
import {
  type KeyboardEvent,
  type PointerEvent,
  useCallback,
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
} from 'react';
import { useSize } from '../parts/hooks.ts';
import type { Store } from '../parts/store.ts';
import { type FlameMove, moveNode, nextMatch } from './flame-keys.ts';
import {
  createBoxes,
  type FlameExtent,
  hitNode,
  layoutBoxes,
  measureExtent,
} from './flame-layout.ts';
import { type FrameStyle, measureCharacter, paintFlame } from './flame-paint.ts';
import { type FlameView, isWithin } from './flame-view.ts';
import type { FrameTexts } from './frame-texts.ts';
import type { PaintTokens } from './theme-tokens.ts';
import { TreeItems } from './tree-items.tsx';

export const ROW_PX = 20;

export interface FlameGraphProps {
  label: string;
  view: FlameView;
  texts: FrameTexts;
  style: FrameStyle;
  tokens: PaintTokens;
  matches: Uint8Array | null;
  zoom: number;
  selected: number;
  /** The node under the pointer; -1 for none. */
  hover: Store<number>;
  onZoom: (node: number) => void;
  onSelect: (node: number) => void;
  onExtent: (extent: FlameExtent) => void;
  /** What a screen reader says of a node. */
  describe: (node: number) => string;
}

const MOVES: Record<string, FlameMove> = {
  ArrowUp: 'parent',
  ArrowDown: 'child',
  ArrowLeft: 'previous',
  ArrowRight: 'next',
  Home: 'root',
};

export function FlameGraph(props: FlameGraphProps) {
  const { view, zoom, selected, hover, onZoom, onSelect } = props;
  const host = useRef<HTMLDivElement>(null);
  const { canvas, extent, draw, size } = useFlameCanvas(host, props);

  const at = (event: PointerEvent | React.MouseEvent): number => {
    const box = canvas.current?.getBoundingClientRect();
    if (box === undefined || host.current === null) return -1;
    const row = Math.floor((event.clientY - box.top + host.current.scrollTop) / ROW_PX);
    return hitNode(view, zoom, size.width, event.clientX - box.left, row);
  };
  const choose = (node: number) => {
    onSelect(node);
    reveal(host.current, view, node, size.height);
  };
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const move = MOVES[event.key];
    if (move !== undefined) {
      const next = moveNode(view, selected, move);
      if (!isWithin(view.tree, next, zoom) && !isWithin(view.tree, zoom, next)) onZoom(next);
      choose(next);
    } else if (event.key === 'Enter') onZoom(selected);
    else if (event.key === 'Backspace') onZoom(Math.max(0, view.tree.parent[zoom] ?? 0));
    else if (event.key === 'Escape' && zoom > 0) onZoom(0);
    else if ((event.key === 'n' || event.key === 'N') && props.matches !== null) {
      choose(nextMatch(view, props.matches, selected, event.key === 'n' ? 1 : -1));
    } else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div
      className="graph"
      ref={host}
      role="tree"
      tabIndex={0}
      aria-label={`${props.label}. Arrow keys move, Enter zooms, Backspace goes back.`}
      aria-activedescendant={`frame-${selected}`}
      onKeyDown={onKeyDown}
      onScroll={draw}
      onFocus={draw}
      onBlur={draw}
    >
      <canvas
        ref={canvas}
        onPointerMove={(event) => event.pointerType === 'mouse' && hover.set(at(event))}
        onPointerLeave={() => hover.set(-1)}
        onClick={(event) => {
          const node = at(event);
          if (node < 0) return;
          onSelect(node);
          onZoom(node === zoom && node > 0 ? (view.tree.parent[node] ?? 0) : node);
          host.current?.focus({ preventScroll: true });
        }}
      />
      <div className="tall" style={{ height: (extent.rows + 1) * ROW_PX }} />
      <TreeItems view={view} selected={selected} describe={props.describe} />
    </div>
  );
}

/** Owns the canvas' size and its pixels: draws after each render, and on scroll and hover. */
function useFlameCanvas(host: React.RefObject<HTMLDivElement | null>, props: FlameGraphProps) {
  const { view, zoom, hover, onExtent } = props;
  const canvas = useRef<HTMLCanvasElement>(null);
  const [boxes] = useState(() => createBoxes());
  const size = useSize(host);
  const extent = useMemo(
    () => measureExtent(view, zoom, Math.max(1, size.width)),
    [view, zoom, size.width],
  );
  useEffect(() => onExtent(extent), [extent, onExtent]);
  const latest = useRef({ props, size });
  useLayoutEffect(() => {
    latest.current = { props, size };
  });
  const draw = useCallback(() => {
    const context = canvas.current?.getContext('2d');
    if (!context || !canvas.current || !host.current) return;
    drawScene(context, host.current, latest.current.props, latest.current.size, boxes);
  }, [boxes, host]);
  useLayoutEffect(() => {
    if (canvas.current !== null) fitCanvas(canvas.current, size.width, size.height);
    draw();
  });
  useEffect(() => hover.subscribe(draw), [hover, draw]);
  return { canvas, extent, draw, size };
}

function fitCanvas(canvas: HTMLCanvasElement, width: number, height: number): void {
  const ratio = devicePixelRatio || 1;
  const [pixelsX, pixelsY] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width === pixelsX && canvas.height === pixelsY) return;
  canvas.width = pixelsX;
  canvas.height = pixelsY;
  canvas.style.width = `${width}px`;
  canvas.style.height = `${height}px`;
}

function drawScene(
  context: CanvasRenderingContext2D,
  host: HTMLElement,
  props: FlameGraphProps,
  size: { width: number; height: number },
  boxes: ReturnType<typeof createBoxes>,
): void {
  const { width, height } = size;
  if (width === 0 || height === 0) return;
  const ratio = devicePixelRatio || 1;
  const scrollTop = host.scrollTop;
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  const fromRow = Math.max(0, Math.floor(scrollTop / ROW_PX));
  const toRow = Math.ceil((scrollTop + height) / ROW_PX);
  layoutBoxes(props.view, { zoom: props.zoom, widthPx: width, fromRow, toRow }, boxes);
  const { view, texts, style, tokens, matches, zoom, selected } = props;
  const scene = {
    view,
    texts,
    style,
    tokens,
    matches,
    zoom,
    selected,
    hover: props.hover.get(),
    focused: document.activeElement === host,
    widthPx: width,
    heightPx: height,
    scrollTop,
    rowPx: ROW_PX,
  };
  paintFlame(context, scene, boxes, measureCharacter(context, tokens));
}

/** Scrolls so that the node's row is in sight. */
function reveal(host: HTMLElement | null, view: FlameView, node: number, height: number): void {
  if (host === null) return;
  const y = (view.graph.depth[node] ?? 0) * ROW_PX;
  if (y < host.scrollTop) host.scrollTop = y;
  else if (y > host.scrollTop + height - 2 * ROW_PX) host.scrollTop = y - height + 2 * ROW_PX;
}
