/** A flame graph as a call graph for Graphviz: functions as boxes, calls as arrows. */
import { formatShare, formatValue } from '../format-value.ts';
import { stringReader } from '../strings.ts';
import { deriveTree, type FlameGraph } from './flame-graph.ts';
import { labelOf } from './frame-names.ts';
import { type FunctionTable, tabulateFunctions } from './functions.ts';
import { TextBuilder } from './text-builder.ts';

/** Functions of a graph that people can still read. */
export const DEFAULT_DOT_FUNCTIONS = 100;

/** Characters of a name in a box. */
const MAX_BOX_CHARACTERS = 60;

interface Edge {
  caller: number;
  callee: number;
  /** In counts; a call that recursion repeats counts once a stack. */
  weight: number;
  /** Functions that are not shown lie between the two. */
  indirect: boolean;
}

/**
 * The functions of the greatest total, `maxFunctions` of them, and the calls between them. A call
 * goes to the nearest function above that is shown. What is not shown is stated in the label.
 */
export function formatDot(graph: FlameGraph, maxFunctions: number): string {
  const { meta } = graph;
  const table = tabulateFunctions(graph, 'labels');
  const shown = heaviest(table, maxFunctions);
  const { edges, hidden } = sumCalls(graph, table, shown);
  const whole = wholeOf(graph);
  const value = (counts: number) => formatValue(counts * graph.multiplier, meta.unit);
  const share = (counts: number) => formatShare(whole > 0 ? counts / whole : 0);
  const out = new TextBuilder();
  const caption = [
    `${meta.type}, ${new Date(meta.fromMs).toISOString()} to ${new Date(meta.toMs).toISOString()}`,
    `total ${value(whole)}, ${shown.length} of ${table.count} functions`,
    `${value(hidden)} (${share(hidden)}) are own weight of functions that are not shown`,
  ];
  out.add(`digraph ${quote(meta.type)} {\n`);
  out.add(`  graph [label=${quote(caption.join('\n'))}, labelloc="t", fontname="Helvetica"];\n`);
  out.add('  node [shape="box", style="filled", fillcolor="#f2f2f2", fontname="Helvetica"];\n');
  out.add('  edge [fontname="Helvetica", fontsize="11"];\n');
  const text = stringReader(graph.strings);
  for (const row of shown) {
    const frame = table.frame[row] as number;
    const name = text(graph.frames.name[frame] as number);
    const binary = text(graph.frames.binary[frame] as number);
    const [self, total] = [table.self[row] as number, table.total[row] as number];
    const label = [
      labelOf(name, MAX_BOX_CHARACTERS),
      ...(binary === '' ? [] : [binary]),
      `own ${value(self)} (${share(self)})`,
      `total ${value(total)} (${share(total)})`,
    ].join('\n');
    // From 10 points to 28, so that the area follows the own weight.
    const size = (10 + 18 * Math.sqrt(whole > 0 ? self / whole : 0)).toFixed(1);
    out.add(`  n${row} [label=${quote(label)}, tooltip=${quote(name)}, fontsize="${size}"];\n`);
  }
  for (const { caller, callee, weight, indirect } of edges) {
    const width = (1 + 4 * (whole > 0 ? weight / whole : 0)).toFixed(2);
    const style = indirect ? ', style="dashed"' : '';
    const label = quote(value(weight));
    out.add(`  n${caller} -> n${callee} [label=${label}, penwidth="${width}"${style}];\n`);
  }
  out.add('}\n');
  return out.text();
}

/**
 * A quoted string: entities, escapes and line breaks mean nothing but themselves in it. Control
 * characters, which no name has, become spaces.
 */
function quote(text: string): string {
  const plain = text
    .replaceAll('&', '&amp;')
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('\n', '\\n')
    .replace(/\p{Cc}/gu, ' ');
  return `"${plain}"`;
}

function wholeOf({ self, folded }: FlameGraph): number {
  let whole = 0;
  for (let node = 0; node < self.length; node++) {
    whole += (self[node] as number) + (folded[node] as number);
  }
  return whole;
}

function heaviest({ count, total, self }: FunctionTable, most: number): number[] {
  const rows = Array.from({ length: count }, (_, row) => row);
  const byWeight = (a: number, b: number): number =>
    (total[b] as number) - (total[a] as number) || (self[b] as number) - (self[a] as number);
  return rows.sort(byWeight).slice(0, most);
}

/** `hidden` is own weight of functions that are not shown, and weight that the graph lacks. */
function sumCalls(
  graph: FlameGraph,
  table: FunctionTable,
  shown: readonly number[],
): { edges: Edge[]; hidden: number } {
  const isShown = new Uint8Array(table.count);
  for (const row of shown) isShown[row] = 1;
  const { total } = deriveTree(graph.depth, graph.self, graph.folded);
  const edges = new Map<number, Edge & { active: number }>();
  // Per depth of the current path: the nearest shown function, and the call that was entered.
  const nearest: number[] = [];
  const entered: ((Edge & { active: number }) | null)[] = [];
  const direct: boolean[] = [];
  let hidden = 0;
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    while (entered.length > depth) {
      const left = entered.pop();
      if (left !== null && left !== undefined) left.active--;
    }
    const row = table.functionOf[graph.frame[node] as number] as number;
    const above = depth === 0 ? -1 : (nearest[depth - 1] as number);
    const visible = row >= 0 && isShown[row] === 1;
    let edge: (Edge & { active: number }) | null = null;
    if (visible && above >= 0) {
      const key = above * table.count + row;
      edge = edges.get(key) ?? { caller: above, callee: row, weight: 0, indirect: true, active: 0 };
      edges.set(key, edge);
      if (edge.active === 0) edge.weight += total[node] as number;
      edge.active++;
      if (direct[depth - 1] === true) edge.indirect = false;
    }
    entered.push(edge);
    nearest[depth] = visible ? row : above;
    direct[depth] = visible;
    hidden += graph.folded[node] as number;
    if (row >= 0 && !visible) hidden += graph.self[node] as number;
  }
  return { edges: [...edges.values()].filter(({ weight }) => weight > 0), hidden };
}
