/** One page of the function table as `FunctionsJson`. */
import { type FlameGraph, NodeFlag } from '../../profile/flame/flame-graph.ts';
import { FRAME_KIND_NAMES } from '../../profile/flame/frame.ts';
import { frameAt } from '../../profile/flame/frame-table.ts';
import { type FunctionTable, tabulateFunctions } from '../../profile/flame/functions.ts';
import { compileRegex } from '../../profile/select/regex.ts';
import { stringReader } from '../../profile/strings.ts';
import type { FunctionJson, FunctionsJson } from '../../wire/http.ts';
import type { FunctionSort } from './params.ts';
import type { FunctionsJob } from './tree-messages.ts';

export function formatFunctionsJson(graph: FlameGraph, job: FunctionsJob): string {
  const table = tabulateFunctions(graph);
  const text = stringReader(graph.strings);
  const { name, systemName } = graph.frames;
  const nameOf = (row: number): string => {
    const frame = table.frame[row] as number;
    const raw = job.names === 'raw' ? (systemName[frame] as number) : 0;
    return text(raw === 0 ? (name[frame] as number) : raw);
  };
  let rows = Array.from({ length: table.count }, (_, row) => row);
  if (job.search !== '') {
    const regex = compileRegex(job.search, 'search');
    rows = rows.filter((row) => regex.occursIn(nameOf(row)));
  }
  rows.sort(orderBy(job.sort, table, nameOf));
  const inlined = sumInlined(graph, table);
  const page = rows.slice(job.offset, job.offset + job.limit);
  const json: FunctionsJson = {
    type: job.meta.type,
    unit: job.meta.unit,
    from_ms: job.meta.fromMs,
    to_ms: job.meta.toMs,
    total_before_filters: job.meta.totalBeforeFilters,
    total: job.meta.totalAfterFilters,
    count: rows.length,
    functions: page.map((row) => functionJson(graph, table, text, row, inlined)),
    quality: job.meta.quality,
  };
  return JSON.stringify(json);
}

/** Numbers fall, names rise; equals stand in the other number's order, then by name. */
function orderBy(
  sort: FunctionSort,
  table: FunctionTable,
  nameOf: (row: number) => string,
): (a: number, b: number) => number {
  const byName = (a: number, b: number): number => {
    const [left, right] = [nameOf(a), nameOf(b)];
    return left < right ? -1 : left > right ? 1 : 0;
  };
  const bySelf = (a: number, b: number) => (table.self[b] as number) - (table.self[a] as number);
  const byTotal = (a: number, b: number) => (table.total[b] as number) - (table.total[a] as number);
  if (sort === 'name') return (a, b) => byName(a, b) || bySelf(a, b) || a - b;
  if (sort === 'total') return (a, b) => byTotal(a, b) || bySelf(a, b) || byName(a, b);
  return (a, b) => bySelf(a, b) || byTotal(a, b) || byName(a, b);
}

function functionJson(
  graph: FlameGraph,
  table: FunctionTable,
  text: (row: number) => string,
  row: number,
  inlined: Float64Array,
): FunctionJson {
  const frame = frameAt(graph.frames, text, table.frame[row] as number);
  return {
    name: frame.name,
    system_name: frame.systemName,
    binary: frame.binary,
    file: frame.file,
    kind: FRAME_KIND_NAMES[frame.kind],
    reason: frame.reason,
    self: (table.self[row] as number) * graph.multiplier,
    total: (table.total[row] as number) * graph.multiplier,
    inlined_self: (inlined[row] as number) * graph.multiplier,
  };
}

/** Self of each function where it was inlined into its caller. */
function sumInlined(graph: FlameGraph, { functionOf, count }: FunctionTable): Float64Array {
  const sums = new Float64Array(count);
  for (let node = 0; node < graph.nodeCount; node++) {
    const row = functionOf[graph.frame[node] as number] as number;
    if (row < 0 || ((graph.flags[node] as number) & NodeFlag.inlined) === 0) continue;
    sums[row] = (sums[row] as number) + (graph.self[node] as number);
  }
  return sums;
}
