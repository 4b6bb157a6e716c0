/** A flame graph of a given size with realistic fan-out, for measuring what reads one. */
import type { FlameGraph } from '../profile/flame/flame-graph.ts';
import { emptySeriesQuality } from '../profile/flame/quality.ts';
import { createRandom } from './random.ts';

const MAX_DEPTH = 80;
const FRAMES = 5_000;

export function makeFlameGraph(nodeCount: number): FlameGraph {
  const random = createRandom(nodeCount);
  const depth = new Uint16Array(nodeCount);
  const frame = new Uint32Array(nodeCount);
  const self = new Float64Array(nodeCount);
  for (let node = 1; node < nodeCount; node++) {
    const above = depth[node - 1] ?? 0;
    // Deeper with probability 0.6, else back up by a geometric number of levels.
    let level = above + 1;
    if (random.fraction() > 0.6 || level > MAX_DEPTH) {
      level = above;
      while (level > 1 && random.fraction() < 0.4) level--;
    }
    depth[node] = Math.max(1, level);
    frame[node] = random.between(1, FRAMES - 1);
    self[node] = random.fraction() < 0.5 ? random.between(1, 400) : 0;
  }
  const names = Array.from({ length: FRAMES }, (_, i) =>
    i === 0 ? 'total' : `github.com/acme/checkout/internal/cart.(*Service${i}).Handle${i % 97}`,
  );
  return {
    nodeCount,
    depth,
    frame,
    self,
    selfBase: null,
    flags: new Uint8Array(nodeCount),
    folded: new Float64Array(nodeCount),
    foldedBase: null,
    ...makeFrames(names),
    multiplier: 52_631_579,
    multiplierBase: 52_631_579,
    meta: {
      type: 'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
      unit: 'nanoseconds',
      fromMs: 0,
      toMs: 3_600_000,
      totalBeforeFilters: self.reduce((sum, value) => sum + value, 0) * 52_631_579,
      totalAfterFilters: self.reduce((sum, value) => sum + value, 0) * 52_631_579,
      quality: { series: emptySeriesQuality(), hosts: null },
    },
  };
}

function makeFrames(names: readonly string[]): Pick<FlameGraph, 'frames' | 'strings'> {
  const encoder = new TextEncoder();
  const texts = ['', ...names].map((name) => encoder.encode(name));
  const offsets = new Uint32Array(texts.length + 1);
  texts.forEach((text, i) => {
    offsets[i + 1] = (offsets[i] ?? 0) + text.length;
  });
  const bytes = new Uint8Array(offsets[texts.length] ?? 0);
  texts.forEach((text, i) => void bytes.set(text, offsets[i] ?? 0));
  const count = names.length;
  const name = Uint32Array.from(names, (_, i) => i + 1);
  const none = () => new Uint32Array(count);
  return {
    strings: { count: texts.length, offsets, bytes },
    frames: {
      count,
      name,
      systemName: name,
      binary: none(),
      buildId: none(),
      file: none(),
      line: none(),
      address: new Uint32Array(2 * count),
      kind: new Uint8Array(count),
      reason: none(),
    },
  };
}
