/**
 * The fleet on which the peers were measured: 10 hosts x 10 services x windows of 10 s, one gzipped
 * pprof per service, host and window, fully symbolized. A service has 2,000 functions (a quarter of
 * them a runtime that all share) and 4,000 stacks, walked down a call graph with popular edges,
 * 8 to 38 deep (one in 20 up to 97); a window draws 380 ticks from the stacks by Zipf(1.15, 4).
 */
import { gzipSync } from 'node:zlib';
import {
  encodePprof,
  type PprofFunction,
  type PprofInput,
  type PprofLocation,
} from '../profile/pprof/encode.ts';
import { createRandom, createZipf, type Random } from './random.ts';

export const HOSTS = 10;
export const SERVICES = 10;
export const WINDOW_MS = 10_000;
export const PERIOD_NS = 52_631_579;
const TICKS_PER_WINDOW = 380;
const FUNCTIONS_PER_SERVICE = 2_000;
const SHARED_FUNCTIONS = 500;
const STACKS_PER_SERVICE = 4_000;
const CALLEES_PER_FUNCTION = 6;

export interface CorpusFile {
  service: string;
  host: string;
  startMs: number;
  samples: number;
  /** Sum of all values, in nanoseconds. */
  totalNs: number;
  gzip: Uint8Array;
}

interface Service {
  name: string;
  functions: PprofFunction[];
  /** Per stack: rows of `sites`, leaf first. */
  stacks: Uint32Array[];
  /** One location per call site: function and line. */
  sites: { function: number; line: number; address: bigint }[];
  draw: () => number;
}

const WORDS = (
  'account balance batch buffer cache cart catalog channel checkout client codec commit config ' +
  'cursor decode delivery digest dispatch encode event fetch filter frame gateway handler index ' +
  'invoice journal ledger limiter merge metric order packet parse payment policy pool price queue ' +
  'quota reader record refund region render request resolve route scan schema session shard ' +
  'signal snapshot stock stream tenant ticket token trace transfer update vector window worker'
).split(' ');

function makeName(random: Random, service: string): PprofFunction {
  const word = () => WORDS[random.between(0, WORDS.length - 1)] ?? '';
  const title = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
  const folder = `${word()}/${word()}`;
  const receiver = title(word()) + title(word());
  const name = `github.com/acme/${service}/internal/${folder}.(*${receiver}).${title(word())}`;
  const file = `${service}/internal/${folder}.go`;
  return { name, systemName: name, file, startLine: random.between(10, 2_000) };
}

function makeService(number: number, shared: readonly PprofFunction[]): Service {
  const random = createRandom(1_000 + number);
  const name = `service-${number}`;
  const functions = [...shared];
  while (functions.length < FUNCTIONS_PER_SERVICE) functions.push(makeName(random, name));
  const popular = createZipf(random, CALLEES_PER_FUNCTION, 3, 1);
  const callees = functions.map(() =>
    Array.from({ length: CALLEES_PER_FUNCTION }, () => random.between(0, functions.length - 1)),
  );
  const sites: Service['sites'] = [];
  const siteOf = new Map<number, number>();
  const site = (row: number, edge: number) => {
    const key = row * CALLEES_PER_FUNCTION + edge;
    let found = siteOf.get(key);
    if (found === undefined) {
      found = sites.length;
      siteOf.set(key, found);
      const line = (functions[row]?.startLine ?? 0) + 3 * edge + 1;
      sites.push({ function: row, line, address: BigInt(0x400000 + row * 512 + edge * 32) });
    }
    return found;
  };
  const stacks = Array.from({ length: STACKS_PER_SERVICE }, () => {
    const depth = random.between(1, 20) === 1 ? random.between(39, 97) : random.between(8, 38);
    const stack = new Uint32Array(depth);
    let row = SHARED_FUNCTIONS + random.between(0, 3);
    for (let level = depth - 1; level >= 0; level--) {
      const edge = popular();
      stack[level] = site(row, edge);
      row = callees[row]?.[edge] ?? 0;
    }
    return stack;
  });
  return { name, functions, stacks, sites, draw: createZipf(random, STACKS_PER_SERVICE, 1.15, 4) };
}

function drawCounts(service: Service): Map<number, number> {
  const counts = new Map<number, number>();
  for (let tick = 0; tick < TICKS_PER_WINDOW; tick++) {
    const stack = service.draw();
    counts.set(stack, (counts.get(stack) ?? 0) + 1);
  }
  return counts;
}

/** Only what the window uses goes into its file, as a profiler would write it. */
function makeInput(service: Service, counts: Map<number, number>, startMs: number): PprofInput {
  const functionRow = new Map<number, number>();
  const functions: PprofFunction[] = [];
  const siteRow = new Map<number, number>();
  const locations: PprofLocation[] = [];
  const stacks: number[] = [];
  const offsets = new Uint32Array(counts.size + 1);
  const values = new Float64Array(counts.size);
  let sample = 0;
  for (const [stack, count] of counts) {
    for (const site of service.stacks[stack] ?? []) {
      let row = siteRow.get(site);
      if (row === undefined) {
        row = locations.length;
        siteRow.set(site, row);
        const {
          function: fn,
          line,
          address,
        } = service.sites[site] ?? { function: 0, line: 0, address: 0n };
        let index = functionRow.get(fn);
        if (index === undefined) {
          index = functions.length;
          functionRow.set(fn, index);
          functions.push(service.functions[fn] as PprofFunction);
        }
        locations.push({ mapping: 0, address, lines: [{ function: index, line }] });
      }
      stacks.push(row);
    }
    offsets[sample + 1] = stacks.length;
    values[sample++] = count * PERIOD_NS;
  }
  return {
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: PERIOD_NS,
    timeNanos: BigInt(startMs) * 1_000_000n,
    durationNanos: BigInt(WINDOW_MS) * 1_000_000n,
    comments: [],
    mappings: [
      { start: 0x400000n, limit: 0x800000n, offset: 0n, file: `/srv/${service.name}`, buildId: '' },
    ],
    functions,
    locations,
    samples: { count: counts.size, offsets, locations: Uint32Array.from(stacks), values },
  };
}

/**
 * The files in the order in which a fleet sends them: window by window. 60 windows are the peers'
 * corpus: 6,000 files, about 1.25 million samples. `startMs` is the first window's start.
 */
export function* generateCorpus(windows: number, startMs: number): Generator<CorpusFile> {
  const random = createRandom(7);
  const shared = Array.from({ length: SHARED_FUNCTIONS }, () => makeName(random, 'runtime'));
  const services = Array.from({ length: SERVICES }, (_, i) => makeService(i, shared));
  for (let window = 0; window < windows; window++) {
    const at = startMs + window * WINDOW_MS;
    for (let host = 0; host < HOSTS; host++) {
      for (const service of services) {
        const counts = drawCounts(service);
        const gzip = gzipSync(encodePprof(makeInput(service, counts, at)), { level: 1 });
        const samples = counts.size;
        const totalNs = TICKS_PER_WINDOW * PERIOD_NS;
        yield { service: service.name, host: `host-${host}`, startMs: at, samples, totalNs, gzip };
      }
    }
  }
}

const NEW_STACK_SAMPLES = 200;
const NEW_STACK_DEPTH = 24;

/** Profiles of one service in which each sample has a stack that no other has. */
export function* generateNewStacks(profiles: number, startMs: number): Generator<CorpusFile> {
  const service = makeService(0, []);
  const random = createRandom(11);
  for (let profile = 0; profile < profiles; profile++) {
    service.stacks = Array.from({ length: NEW_STACK_SAMPLES }, () =>
      Uint32Array.from({ length: NEW_STACK_DEPTH }, () =>
        random.between(0, service.sites.length - 1),
      ),
    );
    const counts = new Map(service.stacks.map((_, stack) => [stack, 1]));
    const at = startMs + profile * WINDOW_MS;
    yield {
      service: 'new-stacks',
      host: 'host-0',
      startMs: at,
      samples: NEW_STACK_SAMPLES,
      totalNs: NEW_STACK_SAMPLES * PERIOD_NS,
      gzip: gzipSync(encodePprof(makeInput(service, counts, at)), { level: 1 }),
    };
  }
}
