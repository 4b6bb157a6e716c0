/** A flame graph as a picture that stands for itself: SVG without scripts, styles or fonts. */
import { formatShare, formatValue } from '../format-value.ts';
import { stringReader } from '../strings.ts';
import { deriveTree, type FlameGraph, type FlameTree } from './flame-graph.ts';
import { FrameKind } from './frame.ts';
import { labelOf } from './frame-names.ts';
import { escapeXml, TextBuilder } from './text-builder.ts';

/** Nodes of a picture that says how many were wanted nowhere else. */
export const DEFAULT_SVG_NODES = 10_000;

const WIDTH = 1200;
const MARGIN = 10;
const ROW = 18;
const HEADER = 64;
/** Boxes narrower than this are not drawn; their weight is stated. */
const MIN_WIDTH = 0.3;
/** Of 12 px monospace, with some room. */
const CHARACTER = 7.4;
const PADDING = 4;

/** Fills that black text is read on. */
const LABEL_FILL = '#dddddd';
const UNKNOWN_FILL = '#c4c4c4';
const KERNEL_FILL = '#f0a58c';
/** Of binaries, the heaviest first; those beyond share the last. */
const BINARY_FILLS = ['#f5c66b', '#9ccbe8', '#a9d7a0', '#d9b8e3', '#f2b5c6', '#c9c98f', '#9fd5cc'];

/** Root at the top, the heaviest children to the left. A side A is not drawn. */
export function formatSvg(graph: FlameGraph): string {
  const tree = deriveTree(graph.depth, graph.self, graph.folded);
  const boxes = layOut(graph, tree);
  const { meta, multiplier } = graph;
  const whole = tree.total[0] as number;
  const value = (counts: number) => formatValue(counts * multiplier, meta.unit);
  const share = (counts: number) => formatShare(whole > 0 ? counts / whole : 0);
  const height = HEADER + (boxes.deepest + 1) * ROW + MARGIN;
  const range = `${new Date(meta.fromMs).toISOString()} to ${new Date(meta.toMs).toISOString()}`;
  const facts = `Total ${value(whole)}${filtered(graph)}; ${value(boxes.missing)} (${share(
    boxes.missing,
  )}) in frames that are not drawn.`;
  const out = new TextBuilder();
  out.add(
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" ` +
      `viewBox="0 0 ${WIDTH} ${height}" role="graphics-document" aria-labelledby="title facts" ` +
      `font-family="ui-monospace, Menlo, Consolas, monospace" font-size="12">\n` +
      `<title id="title">${escapeXml(`Flame graph of ${meta.type}`)}</title>\n` +
      `<desc id="facts">${escapeXml(`${range}. ${facts}`)}</desc>\n` +
      `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>\n`,
  );
  for (const [line, text] of [meta.type, range, facts].entries()) {
    const weight = line === 0 ? ' font-weight="bold"' : '';
    out.add(`<text x="${MARGIN}" y="${18 + line * 16}"${weight}>${escapeXml(text)}</text>\n`);
  }
  const text = stringReader(graph.strings);
  const fillOf = fills(graph);
  for (const { node, x, width } of boxes.boxes) {
    const frame = graph.frame[node] as number;
    const name = text(graph.frames.name[frame] as number);
    const binary = text(graph.frames.binary[frame] as number);
    const [self, total] = [graph.self[node] as number, tree.total[node] as number];
    const title =
      `${name}${binary === '' ? '' : ` (${binary})`}: ${value(total)}, ${share(total)}; ` +
      `own ${value(self)}`;
    const y = HEADER + (graph.depth[node] as number) * ROW;
    out.add(
      `<g role="graphics-symbol"><title>${escapeXml(title)}</title>` +
        `<rect x="${x.toFixed(2)}" y="${y}" width="${width.toFixed(2)}" height="${ROW - 1}" ` +
        `fill="${fillOf(frame)}"/>`,
    );
    const label = labelOf(name, Math.floor((width - 2 * PADDING) / CHARACTER));
    if (label !== '') {
      out.add(`<text x="${(x + PADDING).toFixed(2)}" y="${y + 13}">${escapeXml(label)}</text>`);
    }
    out.add('</g>\n');
  }
  out.add('</svg>\n');
  return out.text();
}

function filtered({ meta }: FlameGraph): string {
  const before = meta.totalBeforeFilters;
  if (before === meta.totalAfterFilters) return '';
  return ` of ${formatValue(before, meta.unit)} before filters`;
}

interface Box {
  node: number;
  x: number;
  width: number;
}

/** `missing`: weight of boxes that are too narrow and of nodes that the graph lacks, in counts. */
function layOut(
  graph: FlameGraph,
  tree: FlameTree,
): { boxes: Box[]; deepest: number; missing: number } {
  const whole = tree.total[0] as number;
  const scale = whole > 0 ? (WIDTH - 2 * MARGIN) / whole : 0;
  const boxes: Box[] = [];
  let deepest = 0;
  let missing = 0;
  const pending: Box[] = [{ node: 0, x: MARGIN, width: WIDTH - 2 * MARGIN }];
  for (let box = pending.pop(); box !== undefined; box = pending.pop()) {
    boxes.push(box);
    deepest = Math.max(deepest, graph.depth[box.node] as number);
    missing += graph.folded[box.node] as number;
    let { x } = box;
    const children: Box[] = [];
    for (const node of heaviestFirst(box.node, tree)) {
      const total = tree.total[node] as number;
      const width = total * scale;
      if (width < MIN_WIDTH) missing += total;
      else children.push({ node, x, width });
      x += width;
    }
    for (const child of children.reverse()) pending.push(child);
  }
  return { boxes, deepest, missing };
}

function heaviestFirst(node: number, { end, total }: FlameTree): number[] {
  const children: number[] = [];
  for (let at = node + 1; at < (end[node] as number); at = end[at] as number) children.push(at);
  return children.sort((a, b) => (total[b] as number) - (total[a] as number));
}

/** A frame's fill: by binary, so that what belongs together looks alike. */
function fills({ frames, frame, self }: FlameGraph): (frame: number) => string {
  const weights = new Map<number, number>();
  for (let node = 0; node < frame.length; node++) {
    const binary = frames.binary[frame[node] as number] as number;
    weights.set(binary, (weights.get(binary) ?? 0) + (self[node] as number));
  }
  const order = [...weights.keys()].sort((a, b) => (weights.get(b) ?? 0) - (weights.get(a) ?? 0));
  const rank = new Map(order.map((binary, at) => [binary, at]));
  return (row) => {
    const kind = frames.kind[row];
    if (kind === FrameKind.label) return LABEL_FILL;
    if (kind === FrameKind.unknown) return UNKNOWN_FILL;
    if (kind === FrameKind.kernel) return KERNEL_FILL;
    const at = rank.get(frames.binary[row] as number) ?? BINARY_FILLS.length;
    return BINARY_FILLS[Math.min(at, BINARY_FILLS.length - 1)] as string;
  };
}
