/**
 * pprof-kernel.c at work: decodes and identifies a usual profile in a third of the time that the
 * TypeScript takes. Where it declines, its caller takes PprofDecoder, settleLocations and
 * ProfileIds, whose columns it fills with views of its memory.
 */
import { EverflameError } from '../../../profile/errors.ts';
import { PprofColumns } from '../../../profile/pprof/columns.ts';
import { PprofDecoder } from '../../../profile/pprof/decode.ts';
import { type IdKey, IdTag, startHash } from '../../../profile/siphash.ts';
import { LocationSites, mappingSites } from '../location-sites.ts';
import type { RowIds } from '../profile-ids.ts';
import { KERNEL_BASE64 } from './pprof-kernel-wasm.ts';

/** Its columns take up to 30 times the input's bytes. Profiles of a day of a host are 1 MB. */
const MAX_INPUT_BYTES = 2 * 2 ** 20;
/** Memory of WebAssembly cannot shrink; beyond this, a new one is made for the next request. */
const MAX_RETAINED_BYTES = 32 * 2 ** 20;
/** Rows beyond its count that a table has room for. */
const SPARE_ROWS = 16;
const MAPPING_SITE_WORDS = 6;

/** Words of the struct `profile` in pprof-kernel.c. */
const TABLE = {
  texts: 0,
  mappings: 4,
  mappingSite: 10,
  functions: 11,
  locations: 18,
  lines: 25,
  samples: 29,
  entries: 34,
  values: 36,
  labels: 38,
  sites: 43,
  states: 50,
  headerCount: 66,
  header: 67,
} as const;

interface KernelExports {
  memory: { readonly buffer: ArrayBuffer };
  tables(): number;
  reserve(bytes: number): number;
  decode(): number;
  identify(normalized: number): number;
}

/** What Node and browsers have and Node's types do not. */
declare const WebAssembly: {
  Module: new (bytes: Uint8Array) => object;
  Instance: new (module: object) => { readonly exports: unknown };
};

export class PprofKernel {
  /** Valid until the next call. */
  columns = new PprofColumns();
  sites = new LocationSites();
  ids: RowIds = NO_IDS;
  readonly #module: object;
  readonly #key: IdKey;
  #decoder = new PprofDecoder(this.columns);
  #exports: KernelExports;
  /** Word of the memory where the struct begins. */
  #tables = 0;
  #words = new Uint32Array(0);

  constructor(key: IdKey) {
    this.#module = new WebAssembly.Module(Buffer.from(KERNEL_BASE64, 'base64'));
    this.#key = key;
    this.#exports = this.#start();
  }

  #start(): KernelExports {
    const instance = new WebAssembly.Instance(this.#module);
    const exports = instance.exports as KernelExports;
    this.#tables = exports.tables() / 4;
    const words = new Int32Array(exports.memory.buffer);
    const tags = [IdTag.string, IdTag.function, IdTag.location, IdTag.stack];
    for (const [i, tag] of tags.entries()) {
      const { v0, v1, v2, v3 } = startHash(this.#key, tag);
      words.set([v0, v1, v2, v3], this.#tables + TABLE.states + 4 * i);
    }
    return exports;
  }

  /** Whether the columns hold the profile. */
  decode(bytes: Uint8Array): boolean {
    if (bytes.length === 0 || bytes.length > MAX_INPUT_BYTES) return false;
    const { memory, reserve, decode } = this.#exports;
    const at = reserve(bytes.length);
    if (at === 0) return false;
    new Uint8Array(memory.buffer, at, bytes.length).set(bytes);
    if (decode() === 0) return false;
    this.#words = new Uint32Array(memory.buffer);
    this.columns.reset(bytes);
    this.#viewRows();
    this.#viewSamples();
    const header = this.#tables + TABLE.header;
    const count = this.#count(TABLE.headerCount);
    try {
      this.#decoder.decodeHeader(bytes, this.#words.subarray(header, header + count));
      return true;
    } catch (error) {
      // PprofDecoder finds the same fault, and says where it is.
      if (error instanceof EverflameError) return false;
      throw error;
    }
  }

  /** After `decode`: whether `sites` and `ids` hold what is to be known of the columns' rows. */
  identify(normalized: boolean): boolean {
    const { columns } = this;
    const texts = columns.texts.count;
    const mappings = mappingSites(columns, normalized);
    // Texts of ours have no place in the kernel's memory.
    if (columns.texts.count > texts) return false;
    const sites = this.#column(TABLE.mappingSite, mappings.length * MAPPING_SITE_WORDS);
    for (const [i, { file, buildId, kind, isFile, bias }] of mappings.entries()) {
      const low = Number(BigInt.asUintN(32, bias));
      const high = Number(BigInt.asUintN(32, bias >> 32n));
      sites.set([file, buildId, kind, isFile ? 1 : 0, low, high], i * MAPPING_SITE_WORDS);
    }
    if (this.#exports.identify(normalized ? 1 : 0) === 0) return false;
    this.#viewSites();
    this.ids = {
      texts: this.#halves(TABLE.texts + 3, texts),
      functions: this.#halves(TABLE.functions + 6, columns.functions.count),
      locations: this.#halves(TABLE.locations + 6, columns.locations.count),
      stacks: this.#halves(TABLE.samples + 4, columns.samples.count),
    };
    return true;
  }

  /** After a request: gives back memory that only a large profile needs. */
  release(): void {
    this.columns.reset(new Uint8Array(0));
    if (this.#exports.memory.buffer.byteLength <= MAX_RETAINED_BYTES) return;
    this.columns = new PprofColumns();
    this.sites = new LocationSites();
    this.ids = NO_IDS;
    this.#words = new Uint32Array(0);
    this.#decoder = new PprofDecoder(this.columns);
    this.#exports = this.#start();
  }

  #viewRows(): void {
    const { texts, mappings, functions, locations, lines } = this.columns;
    texts.count = this.#count(TABLE.texts);
    texts.start = this.#column(TABLE.texts + 1, texts.count + SPARE_ROWS);
    texts.length = this.#column(TABLE.texts + 2, texts.count + SPARE_ROWS);
    mappings.count = this.#count(TABLE.mappings);
    mappings.id = this.#column(TABLE.mappings + 1, mappings.count);
    mappings.start = this.#halves(TABLE.mappings + 2, mappings.count);
    mappings.offset = this.#halves(TABLE.mappings + 3, mappings.count);
    mappings.file = this.#column(TABLE.mappings + 4, mappings.count);
    mappings.buildId = this.#column(TABLE.mappings + 5, mappings.count);
    functions.count = this.#count(TABLE.functions);
    const functionRows = functions.count + SPARE_ROWS;
    functions.id = this.#column(TABLE.functions + 1, functionRows);
    functions.name = this.#column(TABLE.functions + 2, functionRows);
    functions.systemName = this.#column(TABLE.functions + 3, functionRows);
    functions.file = this.#column(TABLE.functions + 4, functionRows);
    functions.startLine = this.#column(TABLE.functions + 5, functionRows);
    locations.count = this.#count(TABLE.locations);
    locations.id = this.#column(TABLE.locations + 1, locations.count);
    locations.mapping = this.#signed(TABLE.locations + 2, locations.count);
    locations.address = this.#halves(TABLE.locations + 3, locations.count);
    locations.lines = this.#column(TABLE.locations + 4, locations.count + 1);
    locations.folded = this.#bytes(TABLE.locations + 5, locations.count);
    lines.count = this.#count(TABLE.lines);
    lines.function = this.#signed(TABLE.lines + 1, lines.count + SPARE_ROWS);
    lines.line = this.#column(TABLE.lines + 2, lines.count + SPARE_ROWS);
    lines.column = this.#column(TABLE.lines + 3, lines.count + SPARE_ROWS);
  }

  #viewSamples(): void {
    const { samples, stackLocations, values, labels } = this.columns;
    samples.count = this.#count(TABLE.samples);
    samples.stack = this.#column(TABLE.samples + 1, samples.count + 1);
    samples.value = this.#column(TABLE.samples + 2, samples.count + 1);
    samples.label = this.#column(TABLE.samples + 3, samples.count + 1);
    stackLocations.count = this.#count(TABLE.entries);
    stackLocations.location = this.#column(TABLE.entries + 1, stackLocations.count);
    values.count = this.#count(TABLE.values);
    values.value = this.#halves(TABLE.values + 1, values.count);
    labels.count = this.#count(TABLE.labels);
    labels.key = this.#column(TABLE.labels + 1, labels.count);
    labels.text = this.#column(TABLE.labels + 2, labels.count);
    labels.number = this.#halves(TABLE.labels + 3, labels.count);
    labels.unit = this.#column(TABLE.labels + 4, labels.count);
  }

  #viewSites(): void {
    const { sites } = this;
    const { count } = this.columns.locations;
    sites.count = count;
    sites.firstLine = this.#column(TABLE.sites, count);
    sites.lineCount = this.#column(TABLE.sites + 1, count);
    sites.binary = this.#column(TABLE.sites + 2, count);
    sites.buildId = this.#column(TABLE.sites + 3, count);
    sites.address = this.#halves(TABLE.sites + 4, count);
    sites.space = this.#bytes(TABLE.sites + 5, count);
    sites.kind = this.#bytes(TABLE.sites + 6, count);
  }

  #count(word: number): number {
    return this.#words[this.#tables + word] as number;
  }

  #column(word: number, rows: number): Uint32Array<ArrayBuffer> {
    return new Uint32Array(this.#exports.memory.buffer, this.#count(word), rows);
  }

  #signed(word: number, rows: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#exports.memory.buffer, this.#count(word), rows);
  }

  #halves(word: number, rows: number): Int32Array<ArrayBuffer> {
    return new Int32Array(this.#exports.memory.buffer, this.#count(word), rows * 2);
  }

  #bytes(word: number, rows: number): Uint8Array<ArrayBuffer> {
    return new Uint8Array(this.#exports.memory.buffer, this.#count(word), rows);
  }
}

const NO_WORDS = new Int32Array(0);
const NO_IDS: RowIds = {
  texts: NO_WORDS,
  functions: NO_WORDS,
  locations: NO_WORDS,
  stacks: NO_WORDS,
};
