/**
 * From a view, a zoom and a size to rectangles: pure, so that what is drawn can be tested without
 * a canvas. Only what the viewport shows is laid out; siblings too narrow to draw become one block.
 */
import { type FlameView, isWithin } from './flame-view.ts';

/** Narrower than this (in CSS pixels) a frame is merged with its narrow siblings. */
export const MIN_FRAME_PX = 0.6;
/** A merged block narrower than this is not drawn. */
const MIN_BLOCK_PX = 0.8;

/** Rectangles as columns. A row's y is `depth * rowPx - scrollTop`. */
export interface FlameBoxes {
  count: number;
  /** Node of the box; -1 for a block of merged siblings. */
  node: Int32Array;
  depth: Uint16Array;
  x: Float32Array;
  width: Float32Array;
}

/** What the whole zoomed graph comes to at a width, regardless of scrolling. */
export interface FlameExtent {
  /** Rows that hold anything, merged blocks included. */
  rows: number;
  drawn: number;
  /** Share of the view whose frames are merged into blocks. */
  mergedShare: number;
}

export interface FlameWindow {
  zoom: number;
  widthPx: number;
  /** First and one past the last row to lay out. */
  fromRow: number;
  toRow: number;
}

export function createBoxes(capacity = 4096): FlameBoxes {
  return {
    count: 0,
    node: new Int32Array(capacity),
    depth: new Uint16Array(capacity),
    x: new Float32Array(capacity),
    width: new Float32Array(capacity),
  };
}

function pushBox(boxes: FlameBoxes, node: number, depth: number, x: number, width: number): void {
  if (boxes.count === boxes.node.length) {
    const larger = createBoxes(boxes.count * 2);
    larger.node.set(boxes.node);
    larger.depth.set(boxes.depth);
    larger.x.set(boxes.x);
    larger.width.set(boxes.width);
    Object.assign(boxes, { ...larger, count: boxes.count });
  }
  const at = boxes.count++;
  boxes.node[at] = node;
  boxes.depth[at] = depth;
  boxes.x[at] = x;
  boxes.width[at] = width;
}

/**
 * Calls `onFrame` for each node that is wide enough, in preorder, and `onBlock` for each run of
 * narrow siblings. Subtrees at or below `toRow` are left out. O(nodes visited).
 */
function walk(
  view: FlameView,
  { zoom, widthPx, toRow }: Pick<FlameWindow, 'zoom' | 'widthPx' | 'toRow'>,
  onFrame: (node: number, depth: number, x: number, width: number) => void,
  onBlock: (depth: number, x: number, width: number, weight: number) => void,
): void {
  const { start, width } = view;
  const { end, parent } = view.tree;
  const { depth } = view.graph;
  const scale = widthPx / (width[zoom] || 1);
  const origin = start[zoom] ?? 0;
  const stop = end[zoom] ?? 0;
  let blockParent = -1;
  let blockDepth = 0;
  let blockX = 0;
  let blockWeight = 0;
  const closeBlock = () => {
    if (blockWeight > 0) onBlock(blockDepth, blockX, blockWeight * scale, blockWeight);
    blockWeight = 0;
    blockParent = -1;
  };
  for (let node = zoom; node < stop; ) {
    const level = depth[node] as number;
    const weight = width[node] as number;
    const x = ((start[node] as number) - origin) * scale;
    if (level >= toRow) {
      node = end[node] as number;
      continue;
    }
    if (weight * scale < MIN_FRAME_PX) {
      const up = parent[node] as number;
      if (up !== blockParent) {
        closeBlock();
        blockParent = up;
        blockDepth = level;
        blockX = x;
      }
      blockWeight += weight;
      node = end[node] as number;
      continue;
    }
    if (blockParent >= 0) closeBlock();
    onFrame(node, level, x, weight * scale);
    node++;
  }
  closeBlock();
}

/** Lays out the rows of a window into `boxes`, ancestors of the zoom first. */
export function layoutBoxes(view: FlameView, window: FlameWindow, boxes: FlameBoxes): void {
  boxes.count = 0;
  const { fromRow, widthPx } = window;
  const ancestors: number[] = [];
  for (let up = view.tree.parent[window.zoom] ?? -1; up >= 0; up = view.tree.parent[up] ?? -1) {
    ancestors.push(up);
  }
  for (const node of ancestors.reverse()) {
    const level = view.graph.depth[node] as number;
    if (level >= fromRow && level < window.toRow) pushBox(boxes, node, level, 0, widthPx);
  }
  walk(
    view,
    window,
    (node, level, x, width) => {
      if (level >= fromRow) pushBox(boxes, node, level, x, width);
    },
    (level, x, width) => {
      if (level >= fromRow && width >= MIN_BLOCK_PX) pushBox(boxes, -1, level, x, width);
    },
  );
}

/** How tall the zoomed graph is at a width and how much of it is merged. */
export function measureExtent(view: FlameView, zoom: number, widthPx: number): FlameExtent {
  const extent = { rows: 1, drawn: 0, mergedShare: 0 };
  let merged = 0;
  const window = { zoom, widthPx, toRow: Number.POSITIVE_INFINITY };
  walk(
    view,
    window,
    (_, level) => {
      extent.drawn++;
      if (level >= extent.rows) extent.rows = level + 1;
    },
    (level, _, width, weight) => {
      merged += weight;
      if (width >= MIN_BLOCK_PX && level >= extent.rows) extent.rows = level + 1;
    },
  );
  extent.mergedShare = merged / (view.width[zoom] || 1);
  return extent;
}

/** The node at a pixel, or -1. Rows above the zoom hold its ancestors. O(log nodes). */
export function hitNode(
  view: FlameView,
  zoom: number,
  widthPx: number,
  x: number,
  row: number,
): number {
  const zoomDepth = view.graph.depth[zoom] ?? 0;
  if (row < 0 || row >= view.rowOffsets.length - 1 || x < 0 || x >= widthPx) return -1;
  if (row <= zoomDepth) {
    let node = zoom;
    while ((view.graph.depth[node] as number) > row) node = view.tree.parent[node] as number;
    return node;
  }
  const at = (view.start[zoom] ?? 0) + (x / widthPx) * (view.width[zoom] ?? 0);
  const node = lastStartingAtOrBefore(view, row, at);
  if (node < 0 || !isWithin(view.tree, node, zoom)) return -1;
  return at < (view.start[node] as number) + (view.width[node] as number) ? node : -1;
}

function lastStartingAtOrBefore(view: FlameView, row: number, at: number): number {
  let low = view.rowOffsets[row] ?? 0;
  let high = view.rowOffsets[row + 1] ?? 0;
  const first = low;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((view.start[view.rowNodes[middle] as number] as number) <= at) low = middle + 1;
    else high = middle;
  }
  return low > first ? (view.rowNodes[low - 1] as number) : -1;
}
