/**
 * Puts siblings in the order they are drawn in, the widest first, so that node numbers rise from
 * left to right. An answer's siblings come in no particular order.
 */
import { deriveTree, type FlameGraph } from '../../profile/flame/flame-graph.ts';

/** The same graph with its nodes renumbered. O(nodes + siblings log siblings). */
export function sortSiblings(graph: FlameGraph): FlameGraph {
  const { parent, end, total } = deriveTree(graph.depth, graph.self, graph.folded);
  const base =
    graph.selfBase === null
      ? null
      : deriveTree(graph.depth, graph.selfBase, graph.foldedBase ?? new Float64Array(total.length));
  const whole = total[0] || 1;
  const wholeBase = base?.total[0] || 1;
  const weight =
    base === null
      ? total
      : total.map((value, node) => value / whole + (base.total[node] ?? 0) / wholeBase);
  const place = placeNodes(parent, end, weight);
  return {
    ...graph,
    depth: permute(graph.depth, place, new Uint16Array(place.length)),
    frame: permute(graph.frame, place, new Uint32Array(place.length)),
    self: permute(graph.self, place, new Float64Array(place.length)),
    flags: permute(graph.flags, place, new Uint8Array(place.length)),
    folded: permute(graph.folded, place, new Float64Array(place.length)),
    selfBase: graph.selfBase && permute(graph.selfBase, place, new Float64Array(place.length)),
    foldedBase:
      graph.foldedBase && permute(graph.foldedBase, place, new Float64Array(place.length)),
  };
}

/** New number of each node. A parent is placed before its children are looked at. */
function placeNodes(parent: Int32Array, end: Uint32Array, weight: Float64Array): Uint32Array {
  const place = new Uint32Array(parent.length);
  const siblings: number[] = [];
  for (let node = 0; node < parent.length; node++) {
    const stop = end[node] as number;
    let next = (place[node] as number) + 1;
    const first = node + 1;
    if (first < stop && (end[first] as number) === stop) {
      place[first] = next;
      continue;
    }
    siblings.length = 0;
    for (let child = first; child < stop; child = end[child] as number) siblings.push(child);
    siblings.sort((p, q) => (weight[q] as number) - (weight[p] as number) || p - q);
    for (const child of siblings) {
      place[child] = next;
      next += (end[child] as number) - child;
    }
  }
  return place;
}

function permute<T extends Uint8Array | Uint16Array | Uint32Array | Float64Array>(
  from: T,
  place: Uint32Array,
  to: T,
): T {
  for (let node = 0; node < place.length; node++) to[place[node] as number] = from[node] as number;
  return to;
}
