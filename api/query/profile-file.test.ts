/** A pprof that goes in comes out with the same meaning. */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startThread } from '../../cli/thread.ts';
import type { EverflameError } from '../../profile/errors.ts';
import { encodePprof, type PprofInput, type PprofLabel } from '../../profile/pprof/encode.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { EmbeddedStore } from '../../store/duckdb/duck-store.ts';
import { openDuckStore } from '../../store/duckdb/open-store.ts';
import { describePprof } from '../../test/pprof-meaning.ts';
import { usualPprof } from '../../test/rich-pprof.ts';
import type { MergeJson, ProfilesJson, ProfileTypesJson } from '../../wire/http.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';
import { createIngest } from '../ingest/ingest.ts';
import type { Ingest } from '../ingest/ingest-request.ts';
import type { Queries } from './params.ts';
import { createQueries } from './queries.ts';
import { QueryLanes } from './query-lanes.ts';

const NOW = 1_780_000_000_000 as EpochMs;
const range = { from: (NOW - 3_600_000) as EpochMs, to: (NOW + 1) as EpochMs };
/** When the recorded profiles were sent. */
const RECORDED = { from: 1_795_289_359_000 as EpochMs, to: 1_795_289_365_000 as EpochMs };
let nowMs = NOW;
const caller = { client: 'test', signal: new AbortController().signal };
const directory = mkdtempSync(join(tmpdir(), 'everflame-round-trip-'));
let store: EmbeddedStore;
let ingest: Ingest;
let queries: Queries;
let services = 0;

beforeAll(async () => {
  store = await openDuckStore({ dataDir: directory });
  ingest = createIngest({
    store,
    createWorker: () => startThread('../api/ingest/decode-worker'),
    workers: 1,
    clock: () => nowMs,
  });
  queries = createQueries({
    store,
    symbolizer: { symbolFiles: () => [], missingSymbolFiles: () => [] },
    createWorker: () => startThread('tree-worker'),
    workers: 1,
    lanes: new QueryLanes({ light: 2, heavy: 1 }),
  });
});
afterAll(async () => {
  await queries.close();
  await ingest.close();
  await store.close();
  rmSync(directory, { recursive: true });
});

/** Pushes a profile as a service of its own; returns that and one of its types. */
async function push(bytes: Uint8Array): Promise<string> {
  const service = `service-${services++}`;
  const labels = [{ name: 'service_name', value: service }];
  const series = [{ labels, profiles: [bytes] }];
  const body = encodeWriteRaw({ tenant: '', series, normalized: false, report: null });
  const contentType = 'application/x-protobuf';
  const request = { kind: 'writeraw', body, contentType } as const;
  await ingest.accept({ ...request, contentEncoding: '', idempotencyKey: '' });
  const matchers = `{service_name="${service}"}`;
  const { body: types } = await queries.profileTypes({ query: matchers }, caller);
  const [first] = (JSON.parse(types as string) as { profile_types: { type: string }[] })
    .profile_types;
  return `${first?.type}${matchers}`;
}

async function list(query: string): Promise<ProfilesJson['profiles']> {
  const { body } = await queries.profiles({ query, range, limit: 10 }, caller);
  return (JSON.parse(body as string) as ProfilesJson).profiles;
}

async function pull(query: string): Promise<Uint8Array> {
  const [profile] = await list(query);
  return (await queries.profile(profile?.id ?? '', caller)).body as Uint8Array;
}

async function total(query: string, profile: string): Promise<number> {
  const shape = { format: 'json', by: [], granularity: 'function', filters: [] } as const;
  const { body } = await queries.merge({ query, range, profile, ...shape }, caller);
  return (JSON.parse(body as string) as MergeJson).total;
}

const word = fc.constantFrom('a', 'b c', 'ünï', '_ZN1a1bEv', 'x.y');
const label: fc.Arbitrary<PprofLabel> = fc.oneof(
  fc.record({ key: fc.constantFrom('trace', 'k-1'), value: word }),
  fc.record({
    key: fc.constantFrom('bytes', 'n'),
    number: fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n).filter((number) => number !== 0n),
    unit: fc.constantFrom('', 'bytes', 'ms'),
  }),
);
const TYPES = [
  [
    { type: 'samples', unit: 'count' },
    { type: 'cpu', unit: 'nanoseconds' },
  ],
  [
    { type: 'alloc_space', unit: 'bytes' },
    { type: 'inuse_space', unit: 'bytes' },
  ],
  [{ type: 'wall', unit: 'nanoseconds' }],
] as const;

const pprof = fc
  .record({
    types: fc.constantFrom(...TYPES),
    stacks: fc.array(
      fc.record({
        locations: fc.array(fc.nat(4), { minLength: 1, maxLength: 5 }),
        values: fc.tuple(fc.nat(100), fc.nat(100)),
        labels: fc.uniqueArray(label, { maxLength: 2, selector: ({ key }) => key }),
      }),
      { minLength: 1, maxLength: 8 },
    ),
    derived: fc.boolean(),
    names: fc.uniqueArray(word, { minLength: 3, maxLength: 3 }),
    comments: fc.uniqueArray(word, { maxLength: 2 }),
    durationMs: fc.nat(100_000),
  })
  .map(({ types, stacks, derived, names, comments, durationMs }): PprofInput => {
    const period = 10_000_000;
    const values = stacks.flatMap(({ values: [first, second] }) =>
      types.length === 1 ? [first + 1] : [first + 1, derived ? (first + 1) * period : second],
    );
    const offsets = [0];
    for (const { locations } of stacks) offsets.push((offsets.at(-1) ?? 0) + locations.length);
    return {
      sampleTypes: types,
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period,
      timeNanos: BigInt(NOW - 60_000) * 1_000_000n,
      durationNanos: BigInt(durationMs) * 1_000_000n,
      comments,
      mappings: [
        { start: 0x1000n, limit: 0x9000n, offset: 0x200n, file: '/bin/app', buildId: 'abcd' },
        { start: 0x10000n, limit: 0x20000n, offset: 0n, file: '/lib/b.so', buildId: '' },
      ],
      functions: names.map((name, row) => ({
        name,
        systemName: name,
        file: `${name}.c`,
        startLine: row,
      })),
      locations: [
        { mapping: 0, address: 0x1100n, lines: [{ function: 0, line: 5 }] },
        {
          mapping: 0,
          address: 0x1200n,
          lines: [
            { function: 1, line: 7 },
            { function: 2, line: 8 },
          ],
        },
        { mapping: 0, address: 0x1300n, lines: [] },
        { mapping: 1, address: 0x10040n, lines: [] },
        { mapping: 1, address: 0x10050n, lines: [{ function: 2, line: 0 }], isFolded: true },
      ],
      samples: {
        count: stacks.length,
        offsets: Uint32Array.from(offsets),
        locations: Uint32Array.from(stacks.flatMap(({ locations }) => locations)),
        values: Float64Array.from(values),
        labels: stacks.map(({ labels }) => labels),
      },
    };
  });

describe('what goes in comes out', () => {
  test('drawn profiles, hot and sealed', async () => {
    await fc.assert(
      fc.asyncProperty(pprof, fc.boolean(), async (input, sealed) => {
        const bytes = encodePprof(input);
        const query = await push(bytes);
        if (sealed) await store.seal();
        expect(describePprof(await pull(query))).toEqual(describePprof(bytes));
      }),
      { seed: 7, numRuns: 30 },
    );
  }, 60_000);

  test.each(['wall', 'heap'])('what @pyroscope/nodejs pushes: %s', async (name) => {
    const file = `../../test/fixtures/foreign/pyroscope-nodejs/${name}.pb.gz`;
    const body = readFileSync(new URL(file, import.meta.url));
    const service = `pyroscope-${name}`;
    nowMs = RECORDED.to;
    await ingest.accept({
      kind: 'ingest',
      name: `${service}{otel.scope.name=com.grafana.pyroscope/nodejs,region=eu}`,
      fromMs: RECORDED.from,
      untilMs: RECORDED.to,
      format: 'pprof',
      body: Uint8Array.from(body),
      contentType: 'application/octet-stream',
      contentEncoding: '',
      idempotencyKey: '',
    });
    nowMs = NOW;
    const matchers = `{service_name="${service}",otel_scope_name=~"com.*nodejs"}`;
    const { body: types } = await queries.profileTypes({ query: matchers }, caller);
    const [first] = (JSON.parse(types as string) as ProfileTypesJson).profile_types;
    const { body: listed } = await queries.profiles(
      { query: `${first?.type}${matchers}`, range: RECORDED, limit: 2 },
      caller,
    );
    const [profile] = (JSON.parse(listed as string) as ProfilesJson).profiles;
    const pulled = (await queries.profile(profile?.id ?? '', caller)).body as Uint8Array;
    const meaning = (bytes: Uint8Array) =>
      describePprof(bytes).filter((line) => !line.startsWith('time '));
    expect(meaning(pulled)).toEqual(meaning(gunzipSync(body)));
  });

  test('one of everything', async () => {
    const [pushed, pulled] = [
      describePprof(usualPprof(3)),
      describePprof(await pull(await push(usualPprof(3)))),
    ];
    expect(pulled).toEqual(pushed);
  });
});

describe('the id of a profile', () => {
  test('selects it alone', async () => {
    const query = await push(usualPprof(1));
    const [profile] = await list(query);
    const id = profile?.id ?? '';
    expect(id).toMatch(/^[0-9a-f]{16}-1779999990000$/);
    expect(await total(query, id)).toBe(await total(query.replace(/\{.*/, '{}'), id));
  });

  test.each([
    ['x', 'invalid', '"x" is no profile\'s id'],
    ['0123456789abcdef-5', 'not-found', 'no profile 0123456789abcdef-5'],
  ])('%s', async (id, kind, message) => {
    const query = await push(usualPprof(1));
    for (const ask of [() => queries.profile(id, caller), () => total(query, id)]) {
      const error = await ask().then(
        () => null,
        (cause: EverflameError) => cause,
      );
      expect(error?.kind).toBe(kind);
      expect(error?.message).toContain(message);
    }
  });
});
