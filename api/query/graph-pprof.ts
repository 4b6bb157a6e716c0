/**
 * A flame graph as a pprof, for what filters or limits have left of a selection: a location for
 * each function with what was inlined into it, as far as the graph's frames tell.
 */
import { EverflameError } from '../../profile/errors.ts';
import { type FlameGraph, NodeFlag } from '../../profile/flame/flame-graph.ts';
import { FOLDED_TRUNCATED } from '../../profile/flame/folded.ts';
import { FrameKind } from '../../profile/flame/frame.ts';
import { type Frame, frameAt, namedFrame } from '../../profile/flame/frame-table.ts';
import { MAX_STACK_ENTRIES_PER_PROFILE } from '../../profile/limits.ts';
import {
  encodePprof,
  type PprofFunction,
  type PprofLabel,
  type PprofLocation,
  type PprofMapping,
} from '../../profile/pprof/encode.ts';
import { stringReader } from '../../profile/strings.ts';
import { FileMappings } from './file-mappings.ts';
import { pprofHeader, pprofValue } from './pprof-answer.ts';
import type { PprofJob } from './tree-messages.ts';

/** Uncompressed. Label frames of the first levels become the samples' labels. */
export function buildGraphPprof(graph: FlameGraph, job: PprofJob): Uint8Array {
  const tables = new GraphTables(graph);
  const samples = new GraphSamples();
  const path: number[] = [];
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    path.length = depth;
    path.push(node);
    const self = pprofValue(graph.self[node] as number, graph.multiplier);
    const folded = pprofValue(graph.folded[node] as number, graph.multiplier);
    if (self === 0 && folded === 0) continue;
    const { locations, labels } = tables.stackOf(path);
    if (self > 0) samples.add(locations, labels, self);
    if (folded > 0) samples.add([tables.truncated(), ...locations], labels, folded);
  }
  return encodePprof({
    ...pprofHeader(job),
    mappings: tables.mappings,
    functions: tables.functions,
    locations: tables.locations,
    samples: samples.columns(),
  });
}

class GraphSamples {
  readonly #offsets = [0];
  readonly #locations: number[] = [];
  readonly #values: number[] = [];
  readonly #labels: PprofLabel[][] = [];
  #isLabelled = false;

  /** `locations`: leaf first. */
  add(locations: readonly number[], labels: PprofLabel[], value: number): void {
    if (this.#locations.length + locations.length > MAX_STACK_ENTRIES_PER_PROFILE) {
      throw new EverflameError('too-large', 'the stacks are too long for a pprof', {
        field: 'format',
        limit: `MAX_STACK_ENTRIES_PER_PROFILE = ${MAX_STACK_ENTRIES_PER_PROFILE}`,
        remedy: 'Give max_nodes, or ask for fg1.',
      });
    }
    for (const location of locations) this.#locations.push(location);
    this.#offsets.push(this.#locations.length);
    this.#values.push(value);
    this.#labels.push(labels);
    this.#isLabelled ||= labels.length > 0;
  }

  columns() {
    return {
      count: this.#values.length,
      offsets: Uint32Array.from(this.#offsets),
      locations: Uint32Array.from(this.#locations),
      values: Float64Array.from(this.#values),
      ...(this.#isLabelled ? { labels: this.#labels } : {}),
    };
  }
}

/** Rows of pprof's tables, made as samples ask for them. */
class GraphTables {
  readonly functions: PprofFunction[] = [];
  readonly locations: PprofLocation[] = [];
  readonly #graph: FlameGraph;
  readonly #text: (row: number) => string;
  readonly #frames: (Frame | undefined)[] = [];
  readonly #mappings = new FileMappings();
  readonly #rows = new Map<string, number>();
  /** Locations of single frames. */
  readonly #alone: (number | undefined)[] = [];

  constructor(graph: FlameGraph) {
    this.#graph = graph;
    this.#text = stringReader(graph.strings);
  }

  get mappings(): readonly PprofMapping[] {
    return this.#mappings.rows;
  }

  /** The nodes of a path, root first, as locations, leaf first, and labels. */
  stackOf(path: readonly number[]): { locations: number[]; labels: PprofLabel[] } {
    const { frame: frameOf, flags, frames } = this.#graph;
    const locations: number[] = [];
    const labels: PprofLabel[] = [];
    let inlined: number[] = [];
    for (let at = path.length - 1; at > 0; at--) {
      const node = path[at] as number;
      const row = frameOf[node] as number;
      if (frames.kind[row] === FrameKind.label) {
        labels.unshift(...this.#labelOf(row));
        continue;
      }
      inlined.push(row);
      if (((flags[node] as number) & NodeFlag.inlined) !== 0) continue;
      locations.push(this.#location(inlined));
      inlined = [];
    }
    if (inlined.length > 0) locations.push(this.#location(inlined));
    return { locations, labels };
  }

  truncated(): number {
    return this.#intern('truncated', this.locations, () => {
      const line = { function: this.#function(namedFrame(FOLDED_TRUNCATED)), line: 0 };
      return { mapping: -1, address: 0n, lines: [line] };
    });
  }

  /** An absent label is none. */
  #labelOf(row: number): PprofLabel[] {
    const { systemName } = this.#frameAt(row);
    const equals = systemName.indexOf('=');
    const value = systemName.slice(equals + 1);
    return value === '' ? [] : [{ key: systemName.slice(0, equals), value }];
  }

  #frameAt(row: number): Frame {
    const frame = this.#frames[row] ?? frameAt(this.#graph.frames, this.#text, row);
    this.#frames[row] = frame;
    return frame;
  }

  /** Of frames that are inlined into each other, innermost first; the last one has the place. */
  #location(rows: readonly number[]): number {
    const [only] = rows;
    if (only === undefined || rows.length > 1) return this.#internLocation(rows);
    const known = this.#alone[only];
    if (known !== undefined) return known;
    const location = this.#internLocation(rows);
    this.#alone[only] = location;
    return location;
  }

  #internLocation(rows: readonly number[]): number {
    return this.#intern(`location ${rows.join()}`, this.locations, () => {
      const frames = rows.map((row) => this.#frameAt(row));
      const host = frames.at(-1) ?? namedFrame('');
      const address = (BigInt(host.addressHigh) << 32n) | BigInt(host.addressLow);
      // Whoever had no name is left for the reader of the pprof to name.
      const named = frames.filter(({ systemName }) => systemName !== '');
      const lines = named.map((frame) => ({ function: this.#function(frame), line: frame.line }));
      return { mapping: this.#mappings.rowOf(host.binary, host.buildId, address), address, lines };
    });
  }

  #function({ name, systemName, file }: Frame): number {
    return this.#intern(`function ${name}\0${systemName}\0${file}`, this.functions, () => ({
      name,
      systemName,
      file,
      startLine: 0,
    }));
  }

  #intern<T>(key: string, table: T[], make: () => T): number {
    let row = this.#rows.get(key);
    if (row === undefined) {
      row = table.push(make()) - 1;
      this.#rows.set(key, row);
    }
    return row;
  }
}
