/** A flame graph in the form that was asked for. */
import { scaleOf, sidesOf } from '../../profile/flame/diff.ts';
import { DEFAULT_DOT_FUNCTIONS, formatDot } from '../../profile/flame/dot.ts';
import { encodeFg1, FG1_MEDIA_TYPE } from '../../profile/flame/fg1.ts';
import type { FlameGraph } from '../../profile/flame/flame-graph.ts';
import { formatFolded } from '../../profile/flame/folded.ts';
import { formatSpeedscope, SPEEDSCOPE_MEDIA_TYPE } from '../../profile/flame/speedscope.ts';
import { DEFAULT_SVG_NODES, formatSvg } from '../../profile/flame/svg.ts';
import { formatGraphJson } from './graph-json.ts';
import type { Answer, TreeParams } from './params.ts';
import type { GraphJob } from './tree-messages.ts';

/** A picture has no room for all nodes, and a call graph needs them all to choose its functions. */
export function limitsOf({ tree, format }: GraphJob): TreeParams {
  if (format === 'svg') return { maxNodes: DEFAULT_SVG_NODES, ...tree };
  if (format !== 'dot') return tree;
  const { maxNodes: _, ...rest } = tree;
  return rest;
}

export function encodeGraph(graph: FlameGraph, job: GraphJob): Answer {
  switch (job.format) {
    case 'fg1':
      return { contentType: FG1_MEDIA_TYPE, body: encodeFg1(graph) };
    case 'folded':
      return { contentType: 'text/plain; charset=utf-8', body: formatFolded(graph) };
    case 'speedscope':
      return { contentType: SPEEDSCOPE_MEDIA_TYPE, body: formatSpeedscope(graph) };
    case 'svg':
      return { contentType: 'image/svg+xml; charset=utf-8', body: formatSvg(graph) };
    case 'dot': {
      const body = formatDot(graph, job.tree.maxNodes ?? DEFAULT_DOT_FUNCTIONS);
      return { contentType: 'text/vnd.graphviz; charset=utf-8', body };
    }
    case 'json': {
      const mode = job.base === null ? 'absolute' : job.mode;
      const sides = sidesOf(graph);
      const scales = { b: scaleOf(sides.b, mode), a: scaleOf(sides.a, mode) };
      return { contentType: 'application/json', body: formatGraphJson(graph, mode, scales) };
    }
  }
}
