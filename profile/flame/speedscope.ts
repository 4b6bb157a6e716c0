/** A flame graph as speedscope's file: one profile of type `sampled`, a sample per node's weight. */
import { stringReader } from '../strings.ts';
import type { FlameGraph } from './flame-graph.ts';
import { FOLDED_TRUNCATED } from './folded.ts';
import { TextBuilder } from './text-builder.ts';

/** There is no registered one. */
export const SPEEDSCOPE_MEDIA_TYPE = 'application/x-speedscope+json';

const SPEEDSCOPE_SCHEMA = 'https://www.speedscope.app/file-format-schema.json';

/** Units that speedscope knows; all others are `none`. */
const UNITS = new Set(['nanoseconds', 'microseconds', 'milliseconds', 'seconds', 'bytes']);

/**
 * Each weight of its own is a sample, root first, in the graph's unit; weight of children left out
 * is one below a frame `[truncated]`. A side A is not written.
 */
export function formatSpeedscope(graph: FlameGraph): string {
  const { meta, multiplier } = graph;
  const out = new TextBuilder();
  out.add(`{"$schema":${JSON.stringify(SPEEDSCOPE_SCHEMA)},"exporter":"everflame",`);
  out.add(`"name":${JSON.stringify(meta.type)},"activeProfileIndex":0,"shared":{"frames":[`);
  const truncated = addFrames(graph, out);
  out.add(']},"profiles":[{"type":"sampled",');
  out.add(`"name":${JSON.stringify(meta.type)},`);
  out.add(`"unit":${JSON.stringify(UNITS.has(meta.unit) ? meta.unit : 'none')},"samples":[`);
  const weights: number[] = [];
  let total = 0;
  const add = (path: string, counts: number): void => {
    if (!(counts > 0)) return;
    out.add(`${weights.length === 0 ? '' : ','}[${path}]`);
    weights.push(counts * multiplier);
    total += counts * multiplier;
  };
  // paths[d] is the current path down to depth d; frames are numbered without the root's.
  const paths: string[] = [''];
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    if (depth > 0) paths[depth] = joined(paths[depth - 1], (graph.frame[node] as number) - 1);
    add(paths[depth] as string, graph.self[node] as number);
    add(joined(paths[depth], truncated), graph.folded[node] as number);
  }
  out.add('],"weights":[');
  for (const [at, weight] of weights.entries()) out.add(`${at === 0 ? '' : ','}${weight}`);
  out.add(`],"startValue":0,"endValue":${total}}]}`);
  return out.text();
}

function joined(path: string | undefined, frame: number): string {
  return path === undefined || path === '' ? String(frame) : `${path},${frame}`;
}

/** Returns the number of the frame for what was left out. */
function addFrames({ frames, strings }: FlameGraph, out: TextBuilder): number {
  const text = stringReader(strings);
  for (let row = 1; row < frames.count; row++) {
    const file = text(frames.file[row] as number);
    const line = frames.line[row] as number;
    const frame = {
      name: text(frames.name[row] as number),
      ...(file === '' ? {} : { file }),
      ...(line === 0 ? {} : { line }),
    };
    out.add(`${JSON.stringify(frame)},`);
  }
  out.add(JSON.stringify({ name: FOLDED_TRUNCATED }));
  return frames.count - 1;
}
