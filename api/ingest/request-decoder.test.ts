import { gzipSync } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import { SharedHashTable } from '../../profile/hash-table.ts';
import { encodePprof, type PprofInput } from '../../profile/pprof/encode.ts';
import { parseSelector } from '../../profile/select/selector.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { WriteBatch } from '../../store/store.ts';
import { drawSamples, drawTypes } from '../../test/batch-text.ts';
import { richPprof } from '../../test/rich-pprof.ts';
import { encodeWriteRaw } from '../../wire/write-raw.ts';
import type { IngestRequest, PyroscopePush } from './ingest-request.ts';
import { PprofKernel } from './kernel/pprof-kernel.ts';
import { RequestDecoder } from './request-decoder.ts';

const NOW = 1_780_000_000_000 as EpochMs;
const KEY = { k0: 0x03020100, k1: 0x07060504 };

function decode(request: IngestRequest, known: SharedHashTable | null = null): WriteBatch {
  return new RequestDecoder(KEY, new PprofKernel(KEY)).decode(request, known, NOW).batch;
}

function push(body: Uint8Array, fields: Partial<PyroscopePush> = {}): PyroscopePush {
  return {
    kind: 'ingest',
    body,
    contentType: '',
    contentEncoding: '',
    idempotencyKey: '',
    name: 'shop{host=a}',
    fromMs: null,
    untilMs: null,
    format: '',
    ...fields,
  };
}

function writeRaw(profiles: Uint8Array[], normalized: boolean, name = ''): IngestRequest {
  const labels = [{ name: 'host', value: 'a' }];
  if (name !== '') labels.push({ name: '__name__', value: name });
  const body = encodeWriteRaw({
    tenant: '',
    series: [{ labels, profiles }],
    normalized,
    report: null,
  });
  const contentType = 'application/x-protobuf';
  return { kind: 'writeraw', body, contentType, contentEncoding: '', idempotencyKey: '' };
}

/** One location of one function per sample, all in `/bin/app`. */
function pprof(fields: Partial<PprofInput>, values: number[] = [1]): Uint8Array {
  const sampleTypes = fields.sampleTypes ?? [{ type: 'cpu', unit: 'nanoseconds' }];
  const count = values.length / sampleTypes.length;
  return encodePprof({
    sampleTypes,
    periodType: null,
    period: 0,
    timeNanos: 0n,
    durationNanos: 0n,
    comments: [],
    mappings: [{ start: 0n, limit: 0n, offset: 0n, file: '/bin/app', buildId: '' }],
    functions: [{ name: 'f', systemName: 'f', file: '', startLine: 0 }],
    locations: [{ mapping: 0, address: 1n, lines: [{ function: 0, line: 0 }] }],
    samples: {
      count,
      offsets: Uint32Array.from({ length: count + 1 }, (_, i) => i),
      locations: new Uint32Array(count),
      values: Float64Array.from(values),
    },
    ...fields,
  });
}

describe('frames', () => {
  test('named frames lose their address; others keep it, or get a reason', () => {
    const lines = drawSamples(decode(push(richPprof(1)))).flatMap((line) => line.split('<-'));
    expect(lines).toEqual([
      'samples 1 app+file:0x4456',
      '_ZN6Klasse3tunEv:7+main:300@app folded',
      'main:5@app {bytes=-5bytes trace-id=x1}',
      'samples 10 [unknown: no symbol]@[kernel](unknown)',
      'größe@[kernel](kernel)',
      '[unknown: no mapping]@[anon](unknown)',
      'main:5@app',
      'samples 1000 [unknown: stack failed]@(unknown)',
      'main:5@app {n=1152921504606846976}',
    ]);
  });

  test('an address is of the ELF file where the writer says so', () => {
    const [first] = drawSamples(decode(writeRaw([richPprof(1)], true)));
    expect(first).toContain('app+elf:0x403456<-');
  });

  test('a build id in capitals is the one in lower case; what is no hexadecimal stays', () => {
    const ids = ['b5fafb4d', 'B5FAFB4D', 'B5fafb4d', 'go:ABCD', ''];
    const body = pprof({
      mappings: ids.map((buildId) => ({ start: 0n, limit: 9n, offset: 0n, file: '/a', buildId })),
      locations: ids.map((_, mapping) => ({ mapping, address: 1n, lines: [] })),
      samples: {
        count: 1,
        offsets: Uint32Array.of(0, ids.length),
        locations: Uint32Array.from(ids, (_, at) => at),
        values: Float64Array.of(1),
      },
    });
    const { locations, strings } = decode(writeRaw([body], true));
    const text = (row: number) => strings.bytes.subarray(...strings.offsets.subarray(row, row + 2));
    const found = Array.from(locations.buildId, (row) => Buffer.from(text(row)).toString());
    expect(found).toEqual(['b5fafb4d', 'go:ABCD', '']);
  });

  test('equal names at different addresses are one location', () => {
    const at = (address: bigint) =>
      pprof({ locations: [{ mapping: 0, address, lines: [{ function: 0, line: 0 }] }] });
    const batch = decode(writeRaw([at(1n), at(2n)], true));
    expect(batch.locations.ids.length / 2).toBe(1);
    expect(batch.stacks.ids.length / 2).toBe(1);
  });

  test.each([
    ['[kernel]', '', 'f@[kernel](kernel)', '[unknown: no symbol]@[kernel](unknown)'],
    [
      '[kernel:nf_nat]',
      '',
      'f@[kernel:nf_nat](kernel)',
      '[unknown: no symbol]@[kernel:nf_nat](unknown)',
    ],
    [
      '[kernel.kallsyms]',
      'ab',
      'f@[kernel.kallsyms](kernel)',
      '[kernel.kallsyms]+file:0x11(kernel)',
    ],
    ['[bpf]', '', 'f@[bpf](kernel)', '[unknown: no symbol]@[bpf](unknown)'],
    ['[jit]', '', 'f@[jit](jit)', '[unknown: no symbol]@[jit](unknown)'],
    ['[vdso]', 'ab', 'f@[vdso]', '[vdso]+file:0x11'],
    ['/lib/libc.so', '', 'f@libc.so', 'libc.so+file:0x11'],
    ['', 'ab', 'f@', '+file:0x11'],
    ['', '', 'f@', '[unknown: no mapping]@[anon](unknown)'],
  ])('in %s (build id "%s")', (file, buildId, named, unnamed) => {
    const body = pprof({
      mappings: [{ start: 0x1000n, limit: 0x2000n, offset: 0x10n, file, buildId }],
      locations: [
        { mapping: 0, address: 0x1001n, lines: [{ function: 0, line: 0 }] },
        { mapping: 0, address: 0x1001n, lines: [] },
      ],
      samples: {
        count: 1,
        offsets: Uint32Array.of(0, 2),
        locations: Uint32Array.of(0, 1),
        values: Float64Array.of(1),
      },
    });
    expect(drawSamples(decode(push(body)))).toEqual([`cpu 1 ${named}<-${unnamed}`]);
  });
});

describe('types', () => {
  const cpu = {
    sampleTypes: [
      { type: 'samples', unit: 'count' },
      { type: 'cpu', unit: 'nanoseconds' },
    ],
    periodType: { type: 'cpu', unit: 'nanoseconds' },
    period: 10,
  };

  test('time that is count x period everywhere is read from the count', () => {
    const batch = decode(push(pprof(cpu, [1, 10, 3, 30])));
    expect(drawTypes(batch)).toEqual([
      'process_cpu:samples:count:cpu:nanoseconds -> process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    ]);
    expect(drawSamples(batch)).toEqual(['samples* 1 f@app', 'samples* 3 f@app']);
  });

  test('one sample that differs, and both are stored', () => {
    const batch = decode(push(pprof(cpu, [1, 10, 3, 31])));
    expect(drawTypes(batch)).toEqual([
      'process_cpu:samples:count:cpu:nanoseconds',
      'process_cpu:cpu:nanoseconds:cpu:nanoseconds',
    ]);
    expect(drawSamples(batch)).toHaveLength(4);
  });

  test('zeros have no row; a profile of zeros is still a profile', () => {
    const batch = decode(push(pprof({}, [0, 0])));
    expect([batch.samples.count, batch.profiles.length, batch.stacks.ids.length]).toEqual([
      0, 1, 0,
    ]);
  });

  test("the name is __name__'s where there is one", () => {
    expect(drawTypes(decode(writeRaw([pprof({})], true, 'mine')))).toEqual([
      'mine:cpu:nanoseconds::',
    ]);
  });

  test('every type can be written in a selector', () => {
    const odd = pprof({ sampleTypes: [{ type: 'cpu time', unit: 'MB{s}' }] });
    const types = drawTypes(decode(writeRaw([odd], true, 'a:b "c"')));
    expect(types).toEqual(['a_b__c_:cpu_time:MB_s_::']);
    expect(parseSelector(types[0] as string).type?.name).toBe('a_b__c_');
  });

  test('a type that is too long is refused', () => {
    const long = 'x'.repeat(257);
    expect(() => decode(writeRaw([pprof({})], true, long))).toThrow(
      expect.objectContaining({ kind: 'unprocessable', limit: 'MAX_TYPE_FIELD_LENGTH = 256' }),
    );
  });
});

describe('series', () => {
  test('labels are canonical, the id is the one that docs/formats.md says', () => {
    const { series, profiles } = decode(push(pprof({}), { name: 'shop{zone=b,host="a"}' }));
    expect(series).toEqual([
      {
        labels: { host: 'a', service_name: 'shop', zone: 'b' },
        period: 0,
        id: [-228973496, -1529743011],
      },
    ]);
    expect(profiles).toEqual([
      { series: 0, tsMs: NOW, durationMs: 0, types: [0], comments: [], seq: null },
    ]);
  });

  test.each([
    [
      { timeNanos: 1_779_000_000_123_456_789n, durationNanos: 10_000_000_000n },
      1_779_000_000_123,
      10_000,
    ],
    [{}, 1_779_999_000_000, 5_000],
  ])("the time is the profile's, else the request's", (fields, tsMs, durationMs) => {
    const fromMs = 1_779_999_000_000 as EpochMs;
    const untilMs = 1_779_999_005_000 as EpochMs;
    const { profiles } = decode(push(pprof(fields), { fromMs, untilMs }));
    expect(profiles).toMatchObject([{ tsMs, durationMs }]);
  });

  test('a profile ahead of the clock is refused, both times named', () => {
    const timeNanos = BigInt(NOW + 11 * 60_000) * 1_000_000n;
    expect(() => decode(push(pprof({ timeNanos })))).toThrow(
      "time_nanos is 2026-05-28T20:37:40.000Z, and the server's clock says 2026-05-28T20:26:40.000Z",
    );
  });
});

test('stacks that the store has come without rows', () => {
  const body = () => push(pprof({}));
  const { samples } = decode(body());
  const known = new SharedHashTable();
  known.insert(samples.stack[0] as number, samples.stack[1] as number, 0);
  const batch = decode(body(), known);
  expect(drawSamples(batch)).toEqual(['cpu 1 known']);
  expect([batch.strings.ids.length, batch.functions.ids.length]).toEqual([0, 0]);
});

test('text that is not UTF-8 is mended before it gets an id', () => {
  const broken = Buffer.from(
    pprof({ functions: [{ name: 'aXb', systemName: '', file: '', startLine: 0 }] }),
  );
  broken[broken.indexOf('aXb') + 1] = 0xff;
  const mended = pprof({
    functions: [{ name: 'a\ufffdb', systemName: '', file: '', startLine: 0 }],
  });
  expect(drawSamples(decode(push(broken)))).toEqual(['cpu 1 a\ufffdb@app']);
  expect(decode(push(broken)).functions.ids).toEqual(decode(push(mended)).functions.ids);
});

test('an error names the profile and the field in it', () => {
  const cut = pprof({}).slice(0, -3);
  const bad = writeRaw([gzipSync(pprof({})), cut], true);
  expect(() => decode(bad)).toThrow(
    expect.objectContaining({
      kind: 'invalid',
      field: 'series[0].samples[1].raw_profile.sample[0]',
    }),
  );
});
