import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { generateCorpus } from '../../../bench/corpus.ts';
import { EverflameError } from '../../../profile/errors.ts';
import { PprofColumns } from '../../../profile/pprof/columns.ts';
import { PprofDecoder } from '../../../profile/pprof/decode.ts';
import { encodePprof, type PprofInput } from '../../../profile/pprof/encode.ts';
import { richPprof, usualPprof } from '../../../test/rich-pprof.ts';
import { ByteBudget, gunzip } from '../gunzip.ts';
import { LocationSites, settleLocations } from '../location-sites.ts';
import { ProfileIds, type RowIds } from '../profile-ids.ts';
import { PprofKernel } from './pprof-kernel.ts';
import { KERNEL_SOURCE_SHA256 } from './pprof-kernel-wasm.ts';

const KEY = { k0: 0x03020100, k1: 0x07060504 };
const kernel = new PprofKernel(KEY);

/** Everything that is found out about a profile's rows, each column as long as its table. */
function draw(columns: PprofColumns, sites: LocationSites, ids: RowIds) {
  const { texts, functions, locations, lines, samples, stackLocations, values, labels } = columns;
  const all = (column: ArrayLike<number>, rows: number) => Array.from(column).slice(0, rows);
  return {
    texts: [all(texts.start, texts.count), all(texts.length, texts.count)],
    functions: [functions.name, functions.systemName, functions.file, functions.startLine].map(
      (column) => all(column, functions.count),
    ),
    mapping: all(locations.mapping, locations.count),
    folded: all(locations.folded, locations.count),
    address: all(sites.address, 2 * locations.count),
    sites: [
      sites.firstLine,
      sites.lineCount,
      sites.binary,
      sites.buildId,
      sites.space,
      sites.kind,
    ].map((column) => all(column, locations.count)),
    lines: [lines.function, lines.line, lines.column].map((column) => all(column, lines.count)),
    samples: [samples.stack, samples.value, samples.label].map((column) =>
      all(column, samples.count + 1),
    ),
    stacks: all(stackLocations.location, stackLocations.count),
    values: all(values.value, 2 * values.count),
    labels: [labels.key, labels.text, labels.unit].map((column) => all(column, labels.count)),
    numbers: all(labels.number, 2 * labels.count),
    header: [columns.sampleTypes, columns.periodType, columns.comments],
    times: [columns.timeNanos, columns.durationNanos, columns.period],
    ids: {
      texts: all(ids.texts, 2 * texts.count),
      functions: all(ids.functions, 2 * functions.count),
      locations: all(ids.locations, 2 * locations.count),
      stacks: all(ids.stacks, 2 * samples.count),
    },
  };
}

function withoutKernel(bytes: Uint8Array, normalized: boolean) {
  const columns = new PprofColumns();
  new PprofDecoder(columns).decode(bytes);
  const sites = new LocationSites();
  settleLocations(columns, normalized, sites);
  const ids = new ProfileIds(KEY);
  ids.identify(columns, sites);
  return draw(columns, sites, ids);
}

function expectSame(bytes: Uint8Array, normalized: boolean): void {
  expect(kernel.decode(bytes)).toBe(true);
  expect(kernel.identify(normalized)).toBe(true);
  const { columns, sites, ids } = kernel;
  expect(draw(columns, sites, ids)).toEqual(withoutKernel(bytes, normalized));
}

test('the compiled kernel is that of its source', () => {
  const hash = createHash('sha256');
  const files = readdirSync(new URL('.', import.meta.url)).filter((name) => /\.[ch]$/.test(name));
  for (const name of files.sort()) hash.update(readFileSync(new URL(name, import.meta.url)));
  expect(KERNEL_SOURCE_SHA256, 'run node tools/pprof-kernel.mjs').toBe(hash.digest('hex'));
});

test('usual profiles come out as TypeScript decodes and identifies them', () => {
  for (const normalized of [true, false]) {
    for (const types of [1, 2, 3]) expectSame(usualPprof(types), normalized);
  }
  const corpus = [...generateCorpus(1, Date.UTC(2026, 10, 1))].slice(0, 20);
  for (const { gzip } of corpus) expectSame(gunzip(gzip, new ByteBudget(), 'body'), false);
});

/** `texts` as names of one function each, and one location and sample per function. */
function named(texts: readonly string[], fields: Partial<PprofInput> = {}): Uint8Array {
  const rows = texts.map((_, i) => i);
  return encodePprof({
    sampleTypes: [{ type: 'cpu', unit: 'nanoseconds' }],
    periodType: null,
    period: 0,
    timeNanos: 0n,
    durationNanos: 0n,
    comments: [],
    mappings: [{ start: 0n, limit: 0n, offset: 0n, file: '/bin/app', buildId: '' }],
    functions: texts.map((name) => ({ name, systemName: '', file: '', startLine: 0 })),
    locations: rows.map((i) => ({
      mapping: 0,
      address: 0n,
      lines: [{ function: i, line: 1 }],
    })),
    samples: {
      count: texts.length,
      offsets: Uint32Array.from([...rows, texts.length]),
      locations: Uint32Array.from(rows),
      values: Float64Array.from(rows, () => 1),
    },
    ...fields,
  });
}

test('names of all lengths, and characters of all lengths', () => {
  const lengths = Array.from({ length: 140 }, (_, i) => 'abcdefghijklm'.repeat(11).slice(0, i + 1));
  expectSame(named(lengths), false);
  expectSame(named(lengths.map((text, i) => `${text}${'é€𐍈'.slice(0, i % 4)}`)), false);
  expectSame(named(['[unknown: gone]', '[unknown: ', '[unknown]', '[unknown: x', 'x']), false);
});

test('stacks of all depths', () => {
  const depths = Array.from({ length: 70 }, (_, i) => i % 33);
  const offsets = [0];
  for (const depth of depths) offsets.push((offsets.at(-1) as number) + depth);
  const samples = {
    count: depths.length,
    offsets: Uint32Array.from(offsets),
    locations: Uint32Array.from({ length: offsets.at(-1) as number }, (_, i) => (i * 7) % 9),
    values: Float64Array.from(depths, () => 1),
  };
  expectSame(named([...'abcdefghi'], { samples }), false);
});

test('what is not usual is left to TypeScript', () => {
  const decodes = (bytes: Uint8Array) => kernel.decode(bytes) && kernel.identify(false);
  const usual = usualPprof(2);
  expect(decodes(usual)).toBe(true);
  expect(decodes(richPprof(2)), 'frames without a name').toBe(false);
  expect(decodes(gzipSync(usual)), 'noise').toBe(false);
  expect(decodes(new Uint8Array(0)), 'nothing').toBe(false);
  for (let end = 1; end < usual.length; end++) {
    const cut = usual.slice(0, end);
    expect(decodes(cut) && !isWhole(cut), `cut at ${end}`).toBe(false);
  }
  kernel.release();
  expect(decodes(usual)).toBe(true);
});

function isWhole(bytes: Uint8Array): boolean {
  try {
    withoutKernel(bytes, false);
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}
