/** Decoding the binary flame graph and deriving its tree, as the browser's worker does. */
import { decodeFg1, encodeFg1 } from '../profile/flame/fg1.ts';
import { deriveTree } from '../profile/flame/flame-graph.ts';
import { percentile } from './process-usage.ts';
import { makeFlameGraph } from './synthetic-graph.ts';

const RUNS = 41;

export async function benchFg1(): Promise<string> {
  const rows = ['| nodes | bytes | decode and derive, median ms | worst ms |', '|---|---|---|---|'];
  for (const nodes of [10_000, 100_000, 1_000_000]) {
    const bytes = encodeFg1(makeFlameGraph(nodes));
    const times: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      const start = performance.now();
      const graph = decodeFg1(bytes);
      deriveTree(graph.depth, graph.self, graph.folded);
      times.push(performance.now() - start);
    }
    times.shift();
    const cells = [
      nodes,
      bytes.length,
      percentile(times, 0.5).toFixed(2),
      percentile(times, 1).toFixed(2),
    ];
    rows.push(`| ${cells.join(' | ')} |`);
  }
  return rows.join('\n');
}
