import fc from 'fast-check';
import protobuf from 'protobufjs/light.js';
import { describe, expect, test } from 'vitest';
import { EverflameError } from '../profile/errors.ts';
import { MAX_COUNTERS_PER_WINDOW, MAX_SENT_LABELS_PER_SERIES } from '../profile/limits.ts';
import { decodeWriteRaw, encodeWriteRaw, type WriteRawRequest } from './write-raw.ts';
import { decodeWriteRawJson } from './write-raw-json.ts';

/** The messages as their .proto files define them, read by a library: the oracle for ours. */
const { WriteRawRequest: Message } = protobuf.Root.fromJSON({
  nested: {
    WriteRawRequest: {
      fields: {
        tenant: { type: 'string', id: 1 },
        series: { rule: 'repeated', type: 'Series', id: 2 },
        normalized: { type: 'bool', id: 3 },
        report: { type: 'Report', id: 1000 },
      },
    },
    Series: {
      fields: {
        labels: { type: 'LabelSet', id: 1 },
        samples: { rule: 'repeated', type: 'Sample', id: 2 },
      },
    },
    LabelSet: { fields: { labels: { rule: 'repeated', type: 'Label', id: 1 } } },
    Label: { fields: { name: { type: 'string', id: 1 }, value: { type: 'string', id: 2 } } },
    Sample: {
      fields: {
        rawProfile: { type: 'bytes', id: 1 },
        executableInfo: { rule: 'repeated', type: 'ExecutableInfo', id: 2 },
      },
    },
    ExecutableInfo: { fields: { elfType: { type: 'uint32', id: 1 } } },
    Report: {
      fields: {
        batchId: { type: 'string', id: 1 },
        agentId: { type: 'string', id: 2 },
        agentVersion: { type: 'string', id: 3 },
        host: { type: 'string', id: 4 },
        kernel: { type: 'string', id: 5 },
        windows: { rule: 'repeated', type: 'Window', id: 6 },
      },
    },
    Window: {
      fields: {
        seq: { type: 'uint64', id: 1 },
        startMs: { type: 'int64', id: 2 },
        lengthMs: { type: 'uint32', id: 3 },
        frequencyHz: { type: 'double', id: 4 },
        counters: { keyType: 'string', type: 'uint64', id: 5 } as protobuf.IMapField,
      },
    },
  },
}).nested as Record<string, protobuf.Type>;

const text = fc.string({ maxLength: 6, unit: 'grapheme' });
const count = fc.oneof(fc.nat(300), fc.maxSafeNat());
const window = fc.record({
  seq: count,
  startMs: count,
  lengthMs: fc.nat(2 ** 31 - 1),
  frequencyHz: fc.double({ noNaN: true, noDefaultInfinity: true, min: 0 }),
  counters: fc.dictionary(text, count, { maxKeys: 4, noNullPrototype: true }),
});
const request: fc.Arbitrary<WriteRawRequest> = fc.record({
  tenant: text,
  normalized: fc.boolean(),
  series: fc.array(
    fc.record({
      labels: fc.array(fc.record({ name: text, value: text }), { maxLength: 4 }),
      profiles: fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 3 }),
    }),
    { maxLength: 3 },
  ),
  report: fc.option(
    fc.record({
      batchId: text,
      agentId: text,
      agentVersion: text,
      host: text,
      kernel: text,
      windows: fc.array(window, { maxLength: 3 }),
    }),
  ),
});

/** Our request in the library's shape. */
function toMessage({ series, ...rest }: WriteRawRequest) {
  return {
    ...rest,
    report: rest.report ?? undefined,
    series: series.map(({ labels, profiles }) => ({
      labels: { labels },
      samples: profiles.map((rawProfile) => ({ rawProfile })),
    })),
  };
}

/** Plain arrays of bytes, so that a Buffer equals an Uint8Array. */
function plain(decoded: WriteRawRequest): WriteRawRequest {
  const series = decoded.series.map((row) => ({
    ...row,
    profiles: row.profiles.map((profile) => Uint8Array.from(profile)),
  }));
  return { ...decoded, series };
}

test('what is encoded is decoded, by us and by protobufjs', () => {
  const property = fc.property(request, (request) => {
    const bytes = encodeWriteRaw(request);
    expect(plain(decodeWriteRaw(bytes))).toEqual(request);
    const message = Message?.decode(bytes);
    const foreign = Message?.encode(Message.fromObject(toMessage(request))).finish();
    expect(message?.toJSON()).toEqual(Message?.decode(foreign as Uint8Array).toJSON());
    expect(plain(decodeWriteRaw(foreign as Uint8Array))).toEqual(request);
  });
  fc.assert(property, { seed: 1, numRuns: 200 });
});

test('the JSON form says the same', () => {
  const property = fc.property(request, (request) => {
    const message = Message?.fromObject(toMessage(request));
    const json = new TextEncoder().encode(JSON.stringify(message?.toJSON()));
    expect(plain(decodeWriteRawJson(json))).toEqual(request);
  });
  fc.assert(property, { seed: 1, numRuns: 100 });
});

const EMPTY: WriteRawRequest = { tenant: '', series: [], normalized: false, report: null };
const SERIES = { labels: [{ name: 'a', value: 'b' }], profiles: [Uint8Array.of(1, 2, 3)] };

test('fields that we do not know, executable_info among them, are passed over', () => {
  const samples = [{ rawProfile: Uint8Array.of(9), executableInfo: [{ elfType: 3 }] }];
  const bytes = Message?.encode({ series: [{ samples }] }).finish() as Uint8Array;
  const unknown = Uint8Array.from([
    ...bytes,
    0x52,
    1,
    7,
    0x5d,
    1,
    2,
    3,
    4,
    0x61,
    1,
    2,
    3,
    4,
    5,
    6,
    7,
    8,
  ]);
  expect(plain(decodeWriteRaw(unknown)).series).toEqual([
    { labels: [], profiles: [Uint8Array.of(9)] },
  ]);
});

describe('what is refused', () => {
  test('every beginning that ends within a field', () => {
    const whole = encodeWriteRaw({ ...EMPTY, series: [SERIES] });
    for (let length = 1; length < whole.length; length++) {
      const cut = () => decodeWriteRaw(whole.subarray(0, length));
      expect(cut, `${length} bytes`).toThrow(expect.objectContaining({ kind: 'invalid' }));
    }
  });

  test('damaged bytes are refused by name or read as something, never worse', () => {
    const whole = encodeWriteRaw({ ...EMPTY, series: [SERIES, SERIES] });
    const edits = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), {
      minLength: 1,
      maxLength: 4,
    });
    const property = fc.property(edits, (edits) => {
      const bytes = Uint8Array.from(whole);
      for (const [at, byte] of edits) bytes[at] = byte;
      try {
        decodeWriteRaw(bytes);
      } catch (error) {
        expect(error).toBeInstanceOf(EverflameError);
      }
    });
    fc.assert(property, { seed: 1, numRuns: 2000 });
  });

  const labels = Array.from({ length: MAX_SENT_LABELS_PER_SERIES + 1 }, () => SERIES.labels[0]!);
  const counters = Object.fromEntries(
    Array.from({ length: MAX_COUNTERS_PER_WINDOW + 1 }, (_, i) => [`c${i}`, i]),
  );
  const report = { batchId: '', agentId: '', agentVersion: '', host: '', kernel: '' };
  const w = { seq: 0, startMs: 0, lengthMs: 0, frequencyHz: 0, counters };
  test.each<[string, WriteRawRequest]>([
    ['MAX_SENT_LABELS_PER_SERIES', { ...EMPTY, series: [{ ...SERIES, labels }] }],
    ['MAX_COUNTERS_PER_WINDOW', { ...EMPTY, report: { ...report, windows: [w] } }],
  ])('more than %s', (limit, request) => {
    const refusal = expect.objectContaining({
      kind: 'too-large',
      limit: expect.stringContaining(limit),
    });
    expect(() => decodeWriteRaw(encodeWriteRaw(request))).toThrow(refusal);
    const json = JSON.stringify(Message?.fromObject(toMessage(request)).toJSON());
    expect(() => decodeWriteRawJson(new TextEncoder().encode(json))).toThrow(refusal);
  });

  test.each([
    ['{', 'body'],
    ['[]', 'body'],
    ['{"series":{}}', 'series'],
    ['{"series":[1]}', 'series[0]'],
    ['{"series":[{"labels":[]}]}', 'series[0].labels'],
    ['{"series":[{"labels":{"labels":[{"name":1}]}}]}', 'series[0].labels.labels[0].name'],
    ['{"series":[{"samples":[{"rawProfile":"%"}]}]}', 'series[0].samples[0].rawProfile'],
    ['{"report":{"windows":[{"seq":-1}]}}', 'report.windows[0].seq'],
    ['{"report":{"windows":[{"counters":{"a":1.5}}]}}', 'report.windows[0].counters.a'],
  ])('JSON %s', (json, field) => {
    expect(() => decodeWriteRawJson(new TextEncoder().encode(json))).toThrow(
      expect.objectContaining({ kind: 'invalid', field }),
    );
  });

  test('a counter of 2^60', () => {
    const bytes = Message?.encode(
      Message.fromObject({ report: { windows: [{ counters: { a: '1152921504606846976' } }] } }),
    ).finish();
    expect(() => decodeWriteRaw(bytes as Uint8Array)).toThrow(
      expect.objectContaining({ kind: 'unprocessable', field: 'report.windows.counters' }),
    );
  });
});
