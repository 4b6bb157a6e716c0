/** A flame graph as `MergeJson`: the columns of fg1 with totals derived, in units or shares. */

import { EverflameError } from '../../profile/errors.ts';
import type { DiffMode } from '../../profile/flame/diff.ts';
import { deriveTree, type FlameGraph } from '../../profile/flame/flame-graph.ts';
import { FRAME_KIND_NAMES } from '../../profile/flame/frame.ts';
import { type Frame, formatAddress, frameAt } from '../../profile/flame/frame-table.ts';
import { MAX_JSON_NODES } from '../../profile/limits.ts';
import { stringReader } from '../../profile/strings.ts';
import type { FrameJson, GraphJson, MergeJson } from '../../wire/http.ts';

/** `scales` turn each side's counts into the mode's measure. */
export function formatGraphJson(
  graph: FlameGraph,
  mode: DiffMode,
  scales: { a: number; b: number },
): string {
  const { meta } = graph;
  const { nodes, frames } = graphJson(graph, scales.b);
  const total = nodes.total[0] as number;
  const json: MergeJson = {
    type: meta.type,
    unit: unitOf(meta.unit, mode),
    from_ms: meta.fromMs,
    to_ms: meta.toMs,
    total_before_filters: totalBefore(
      total,
      { before: meta.totalBeforeFilters, after: meta.totalAfterFilters },
      scales.b,
      graph.multiplier,
    ),
    total,
    nodes,
    frames,
    quality: meta.quality,
  };
  if (graph.selfBase !== null && graph.foldedBase !== null && meta.base !== undefined) {
    const totalBase = deriveTree(graph.depth, graph.selfBase, graph.foldedBase).total;
    json.mode = mode;
    json.nodes.self_base = scaled(graph.selfBase, scales.a);
    json.nodes.total_base = scaled(totalBase, scales.a);
    json.nodes.folded_base = scaled(graph.foldedBase, scales.a);
    json.base = {
      type: meta.base.type,
      from_ms: meta.base.fromMs,
      to_ms: meta.base.toMs,
      total_before_filters: totalBefore(
        (totalBase[0] as number) * scales.a,
        { before: meta.base.totalBeforeFilters ?? meta.base.total, after: meta.base.total },
        scales.a,
        graph.multiplierBase,
      ),
      total: (totalBase[0] as number) * scales.a,
      quality: meta.base.quality,
    };
  }
  return JSON.stringify(json);
}

/** Nodes and frames; `scale` turns counts into the answer's measure. */
export function graphJson(graph: FlameGraph, scale = graph.multiplier): GraphJson {
  if (graph.nodeCount > MAX_JSON_NODES) {
    throw new EverflameError('too-large', `the flame graph has ${graph.nodeCount} nodes`, {
      field: 'format',
      limit: `MAX_JSON_NODES = ${MAX_JSON_NODES}`,
      remedy: 'Give max_nodes or min_fraction, or ask for format=fg1.',
    });
  }
  const { total } = deriveTree(graph.depth, graph.self, graph.folded);
  return {
    nodes: {
      depth: Array.from(graph.depth),
      frame: Array.from(graph.frame),
      self: scaled(graph.self, scale),
      total: scaled(total, scale),
      folded: scaled(graph.folded, scale),
    },
    frames: framesJson(graph),
  };
}

/** In the answer's measure, as `total` is; without filters the very same number. */
function totalBefore(
  total: number,
  inUnits: { before: number; after: number },
  scale: number,
  multiplier: number,
): number {
  const { before, after } = inUnits;
  return before === after ? total : (before / multiplier) * scale;
}

function unitOf(unit: string, mode: DiffMode): string {
  if (mode === 'share') return 'share';
  return mode === 'rate' ? `${unit}/second` : unit;
}

function scaled(counts: Float64Array, scale: number): number[] {
  return Array.from(counts, (count) => count * scale);
}

function framesJson(graph: FlameGraph): FrameJson[] {
  const text = stringReader(graph.strings);
  return Array.from({ length: graph.frames.count }, (_, row) =>
    frameJson(frameAt(graph.frames, text, row)),
  );
}

function frameJson(frame: Frame): FrameJson {
  return {
    name: frame.name,
    system_name: frame.systemName,
    binary: frame.binary,
    build_id: frame.buildId,
    file: frame.file,
    line: frame.line,
    address: frame.addressLow === 0 && frame.addressHigh === 0 ? '' : formatAddress(frame),
    kind: FRAME_KIND_NAMES[frame.kind],
    reason: frame.reason,
  };
}
