/** Draws laid-out boxes on a canvas. No decisions here but pixels. */
import { NodeFlag } from '../../profile/flame/flame-graph.ts';
import type { FlameBoxes } from './flame-layout.ts';
import { type FlameView, isWithin } from './flame-view.ts';
import type { FrameTexts } from './frame-texts.ts';
import type { PaintTokens } from './theme-tokens.ts';

/** How a page wants its frames to look; all per node. */
export interface FrameStyle {
  fill: (node: number, matched: boolean) => string;
  hatched: (node: number) => boolean;
  /** Drawn before the name; empty for none. */
  glyph: (node: number) => string;
  /** Whether the glyph alone is drawn where there is no room for the name. */
  loud: (node: number) => boolean;
  /** Drawn in the interface's bold type: the root and label values. */
  heading: (node: number) => boolean;
}

export interface FlameScene {
  view: FlameView;
  texts: FrameTexts;
  style: FrameStyle;
  tokens: PaintTokens;
  /** 1 per matching frame; null while nothing is searched for. */
  matches: Uint8Array | null;
  zoom: number;
  hover: number;
  selected: number;
  /** Whether the root shows its outline too. */
  focused: boolean;
  widthPx: number;
  heightPx: number;
  scrollTop: number;
  rowPx: number;
}

const HATCH_STEP = 8;
/** A frame narrower than this has no seam: its dots would look like an edge. */
const MIN_SEAM_PX = 8;
const SEAM_DASH_PX = [2, 3];
const SEAM_ALPHA = 0.45;
/** Space left of a name and right of it. */
const TEXT_PAD = 4;

/** Width of one character of the frames' font, in CSS pixels. */
export function measureCharacter(context: CanvasRenderingContext2D, tokens: PaintTokens): number {
  context.font = tokens.mono;
  return context.measureText('0'.repeat(20)).width / 20;
}

export function paintFlame(
  context: CanvasRenderingContext2D,
  scene: FlameScene,
  boxes: FlameBoxes,
  characterPx: number,
): void {
  const { widthPx, heightPx } = scene;
  context.clearRect(0, 0, widthPx, heightPx);
  context.font = scene.tokens.mono;
  context.textBaseline = 'middle';
  for (let box = 0; box < boxes.count; box++) paintBox(context, scene, boxes, box, characterPx);
  if (scene.hover > 0) outline(context, scene, scene.hover, 1);
  if (scene.selected > 0 || scene.focused) outline(context, scene, scene.selected, 2);
}

function paintBox(
  context: CanvasRenderingContext2D,
  scene: FlameScene,
  boxes: FlameBoxes,
  box: number,
  characterPx: number,
): void {
  const { tokens, rowPx, view } = scene;
  const node = boxes.node[box] as number;
  const x = boxes.x[box] as number;
  const width = boxes.width[box] as number;
  const y = (boxes.depth[box] as number) * rowPx - scene.scrollTop;
  const gap = width > 3 ? 1 : 0;
  if (node < 0) {
    context.fillStyle = tokens.merged;
    context.fillRect(x, y, Math.max(1, width - gap), rowPx - 1);
    return;
  }
  const heading = scene.style.heading(node);
  const matched = scene.matches?.[view.graph.frame[node] as number] === 1;
  const faded = scene.matches !== null && !matched && !heading;
  const ancestor = node < scene.zoom && isWithin(view.tree, scene.zoom, node);
  if (ancestor) context.globalAlpha = 0.55;
  const inlined = ((view.graph.flags[node] as number) & NodeFlag.inlined) !== 0;
  context.fillStyle = faded || tokens.forced ? tokens.dim : scene.style.fill(node, matched);
  // An inlined function is grown together with its caller: there is no call between them.
  const joint = inlined ? 1 : 0;
  context.fillRect(x, y - joint, Math.max(width - gap, 0.6), rowPx - 1 + joint);
  if (inlined && width > MIN_SEAM_PX) seam(context, tokens.ink, x, y, width - gap);
  context.globalAlpha = 1;
  if (!faded && width > 4 && scene.style.hatched(node)) {
    hatch(context, tokens.ink, x, y, width - gap, rowPx);
  }
  if (tokens.forced && width > 2) {
    context.strokeStyle = tokens.ink;
    context.lineWidth = matched ? 2 : 1;
    context.strokeRect(x + 0.5, y + 0.5, width - 1.5, rowPx - 2);
  }
  paintName(context, scene, { node, x, y, width, faded, heading, characterPx });
}

interface NamePlace {
  node: number;
  x: number;
  y: number;
  width: number;
  faded: boolean;
  heading: boolean;
  characterPx: number;
}

function paintName(context: CanvasRenderingContext2D, scene: FlameScene, place: NamePlace): void {
  const { node, x, y, width, characterPx } = place;
  const { tokens, style } = scene;
  const middle = y + scene.rowPx / 2;
  const glyph = style.glyph(node);
  if (glyph !== '' && !place.faded && width > 12 && width <= 5 * characterPx + 9) {
    if (!style.loud(node)) return;
    context.fillStyle = tokens.ink;
    context.fillText(glyph, x + (width - 1 - characterPx) / 2, middle);
    return;
  }
  if (width <= 3 * characterPx + 2 * TEXT_PAD) return;
  const lead = glyph === '' ? '' : `${glyph} `;
  const room = Math.floor((width - 2 * TEXT_PAD - 1) / characterPx) - lead.length;
  const { texts } = scene;
  const frame = scene.view.graph.frame[node] as number;
  const whole = node === 0 ? 'all' : texts.drawn(frame);
  const line = texts.lineMark(frame);
  const fits = line.length < room / 2;
  const name = texts.fit(whole, fits ? room - line.length : room);
  if (name === '') return;
  context.fillStyle = place.faded ? tokens.dimInk : tokens.ink;
  if (place.heading) context.font = tokens.sans;
  context.fillText(lead + name + (fits ? line : ''), x + TEXT_PAD, middle);
  if (place.heading) context.font = tokens.mono;
}

/** The dotted edge between an inlined function and the one that it was inlined into. */
function seam(
  context: CanvasRenderingContext2D,
  ink: string,
  x: number,
  y: number,
  width: number,
): void {
  const alpha = context.globalAlpha;
  context.globalAlpha = alpha * SEAM_ALPHA;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.setLineDash(SEAM_DASH_PX);
  context.beginPath();
  context.moveTo(x, y - 0.5);
  context.lineTo(x + width, y - 0.5);
  context.stroke();
  context.setLineDash([]);
  context.globalAlpha = alpha;
}

function hatch(
  context: CanvasRenderingContext2D,
  ink: string,
  x: number,
  y: number,
  width: number,
  height: number,
): void {
  context.save();
  context.beginPath();
  context.rect(x, y, width, height - 1);
  context.clip();
  context.globalAlpha = 0.13;
  context.strokeStyle = ink;
  context.lineWidth = 1;
  context.beginPath();
  for (let at = x - height; at < x + width; at += HATCH_STEP) {
    context.moveTo(at, y + height);
    context.lineTo(at + height, y);
  }
  context.stroke();
  context.restore();
}

/** The rectangle of any node under the zoom, drawn or not; ancestors span the whole width. */
function outline(
  context: CanvasRenderingContext2D,
  scene: FlameScene,
  node: number,
  line: number,
): void {
  const { view, zoom, widthPx, rowPx } = scene;
  const above = isWithin(view.tree, zoom, node);
  if (!above && !isWithin(view.tree, node, zoom)) return;
  const scale = widthPx / (view.width[zoom] || 1);
  const left = above ? 0 : ((view.start[node] ?? 0) - (view.start[zoom] ?? 0)) * scale;
  const width = above ? widthPx : (view.width[node] ?? 0) * scale;
  const y = (view.graph.depth[node] ?? 0) * rowPx - scene.scrollTop;
  context.strokeStyle = scene.tokens.ink;
  context.lineWidth = line;
  const half = line / 2;
  const x = Math.max(half, left - 0.5 + half);
  context.strokeRect(x, y + half - 0.5, Math.max(1, Math.min(width, widthPx) - line), rowPx - line);
}
