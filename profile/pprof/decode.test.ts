import fc from 'fast-check';
import { Profile, StringTable } from 'pprof-format';
import { describe, expect, test } from 'vitest';
import { richPprof } from '../../test/rich-pprof.ts';
import { MAX_STACK_DEPTH } from '../limits.ts';
import { PprofColumns } from './columns.ts';
import { PprofDecoder } from './decode.ts';

function decode(bytes: Uint8Array): PprofColumns {
  const columns = new PprofColumns();
  new PprofDecoder(columns).decode(bytes);
  return columns;
}

/** Everything in the columns as one comparable value, ids already rows. */
function draw(columns: PprofColumns) {
  const { samples, locations, functions, mappings, lines, labels, values } = columns;
  const text = (row: number | undefined) => columns.textAt(row as number);
  const big = (column: Int32Array, row: number) =>
    (BigInt(column[row * 2 + 1] as number) << 32n) | BigInt((column[row * 2] as number) >>> 0);
  const rows = <T>(from: number | undefined, to: number | undefined, read: (row: number) => T) =>
    Array.from({ length: (to ?? 0) - (from ?? 0) }, (_, i) => read((from ?? 0) + i));
  return {
    types: columns.sampleTypes.map(({ type, unit }) => [text(type), text(unit)]),
    period: [columns.periodType && text(columns.periodType.type), columns.period],
    time: [columns.timeNanos, columns.durationNanos],
    comments: columns.comments.map(text),
    mappings: rows(0, mappings.count, (i) => ({
      file: text(mappings.file[i]),
      buildId: text(mappings.buildId[i]),
      start: BigInt.asUintN(64, big(mappings.start, i)),
      offset: big(mappings.offset, i),
    })),
    functions: rows(0, functions.count, (i) => ({
      name: text(functions.name[i]),
      systemName: text(functions.systemName[i]),
      file: text(functions.file[i]),
      startLine: functions.startLine[i],
    })),
    locations: rows(0, locations.count, (i) => ({
      mapping: locations.mapping[i],
      address: BigInt.asUintN(64, big(locations.address, i)),
      folded: locations.folded[i] === 1,
      lines: rows(locations.lines[i], locations.lines[i + 1], (j) => [
        lines.function[j],
        lines.line[j],
        lines.column[j],
      ]),
    })),
    samples: rows(0, samples.count, (i) => ({
      stack: [...columns.stackLocations.location.slice(samples.stack[i], samples.stack[i + 1])],
      values: rows(samples.value[i], samples.value[i + 1], (j) => big(values.value, j)),
      labels: rows(samples.label[i], samples.label[i + 1], (j) => ({
        key: text(labels.key[j]),
        text: text(labels.text[j]),
        number: big(labels.number, j),
        unit: text(labels.unit[j]),
      })),
    })),
  };
}

/** The same of a profile that pprof-format holds. */
function drawForeign(profile: Profile): ReturnType<typeof draw> {
  const text = (row: number | bigint) => profile.stringTable.strings[Number(row)] ?? '';
  const rowOf = (table: readonly { id: number | bigint }[], id: number | bigint) =>
    table.findIndex((row) => BigInt(row.id) === BigInt(id));
  return {
    types: profile.sampleType.map(({ type, unit }) => [text(type), text(unit)]),
    period: [profile.periodType ? text(profile.periodType.type) : null, BigInt(profile.period)],
    time: [BigInt(profile.timeNanos), BigInt(profile.durationNanos)],
    comments: profile.comment.map(text),
    mappings: profile.mapping.map((row) => ({
      file: text(row.filename),
      buildId: text(row.buildId),
      start: BigInt(row.memoryStart),
      offset: BigInt(row.fileOffset),
    })),
    functions: profile.function.map((row) => ({
      name: text(row.name),
      systemName: text(row.systemName),
      file: text(row.filename),
      startLine: Number(row.startLine),
    })),
    locations: profile.location.map((row) => ({
      mapping: rowOf(profile.mapping, row.mappingId),
      address: BigInt(row.address),
      folded: row.isFolded,
      lines: row.line.map(({ functionId, line, column }) => [
        rowOf(profile.function, functionId),
        Number(line),
        Number(column),
      ]),
    })),
    samples: profile.sample.map((row) => ({
      stack: row.locationId.map((id) => rowOf(profile.location, id)),
      values: row.value.map(BigInt),
      labels: row.label.map(({ key, str, num, numUnit }) => ({
        key: text(key),
        text: text(str),
        number: BigInt.asIntN(64, BigInt(num)),
        unit: text(numUnit),
      })),
    })),
  };
}

const id = fc.oneof(fc.nat(300), fc.bigInt(2n ** 31n - 2n, 2n ** 64n - 1n), fc.nat()).map(BigInt);
const ids = (maxLength: number) =>
  fc.uniqueArray(
    id.filter((value) => value > 0n),
    { maxLength, minLength: 1 },
  );
const text = fc.oneof(fc.constantFrom('', 'main', 'größe'), fc.string({ maxLength: 8 }));
const line = fc.oneof(fc.nat(200), fc.nat(70_000));

/** Profiles in any shape that pprof-format can write, ids sparse and wide. */
const foreignProfile = fc
  .record({
    mappingIds: ids(3),
    functionIds: ids(5),
    locationIds: ids(8),
    texts: fc.array(text, { minLength: 1, maxLength: 6 }),
    picks: fc.array(fc.nat(), { minLength: 60, maxLength: 60 }),
    values: fc.array(fc.bigInt(0n, 2n ** 53n - 1n), { minLength: 6, maxLength: 6 }),
    lines: fc.array(line, { minLength: 16, maxLength: 16 }),
    period: fc.option(fc.bigInt(1n, 2n ** 40n)),
  })
  .map(({ mappingIds, functionIds, locationIds, texts, picks, values, lines, period }) => {
    const stringTable = new StringTable();
    let at = 0;
    const pick = () => picks[at++ % picks.length] as number;
    const of = <T>(list: readonly T[]): T => list[pick() % list.length] as T;
    const word = () => stringTable.dedup(of(texts));
    const name = stringTable.dedup('cpu');
    return new Profile({
      stringTable,
      sampleType: [
        { type: name, unit: word() },
        { type: name, unit: 0 },
      ],
      mapping: mappingIds.map((id) => ({ id, memoryStart: of(values), filename: word() })),
      function: functionIds.map((id) => ({
        id,
        name: word(),
        filename: word(),
        startLine: of(lines),
      })),
      location: locationIds.map((id) => ({
        id,
        mappingId: of([0n, ...mappingIds]),
        address: of(values) * 2n,
        line: lines.slice(0, pick() % 3).map((line) => ({ functionId: of(functionIds), line })),
        isFolded: pick() % 5 === 0,
      })),
      sample: texts.map(() => ({
        locationId: picks.slice(0, pick() % 9).map(() => of(locationIds)),
        value: [of(values), of(values)],
        label: pick() % 3 === 0 ? [{ key: word(), str: word(), num: of(values) }] : [],
      })),
      comment: texts.map(word),
      timeNanos: of(values),
      durationNanos: of(values),
      ...(period === null ? {} : { period, periodType: { type: name, unit: 0 } }),
    });
  });

describe('what pprof-format writes', () => {
  test('is read as it was meant', () => {
    const property = fc.property(foreignProfile, (profile) => {
      expect(draw(decode(profile.encode()))).toEqual(drawForeign(profile));
    });
    fc.assert(property, { seed: 1, numRuns: 300 });
  });

  test('and what we write is read by pprof-format', () => {
    const bytes = richPprof(3);
    expect(drawForeign(Profile.decode(bytes))).toEqual(draw(decode(bytes)));
  });
});

/** A message of profile.proto by hand: field numbers, then numbers, texts or nested messages. */
type Field = [field: number, value: number | bigint | string | Field[] | Uint8Array];

function message(fields: readonly Field[]): Uint8Array {
  const bytes: number[] = [];
  for (const [field, value] of fields) {
    if (typeof value === 'number' || typeof value === 'bigint') {
      bytes.push(...varint(BigInt(field * 8)), ...varint(BigInt(value)));
      continue;
    }
    const body =
      typeof value === 'string'
        ? new TextEncoder().encode(value)
        : value instanceof Uint8Array
          ? value
          : message(value);
    bytes.push(...varint(BigInt(field * 8 + 2)), ...varint(BigInt(body.length)), ...body);
  }
  return Uint8Array.from(bytes);
}

function varint(value: bigint): number[] {
  const rest = BigInt.asUintN(64, value) >> 7n;
  const low = Number(value & 127n);
  return rest === 0n ? [low] : [low | 128, ...varint(rest)];
}

const TEXTS: Field[] = ['', 'cpu', 'count', 'f'].map((text) => [6, text]);
const TYPE: Field = [
  1,
  [
    [1, 1],
    [2, 2],
  ],
];
const FUNCTION: Field = [
  5,
  [
    [1, 1],
    [2, 3],
  ],
];
const LOCATION: Field = [
  4,
  [
    [1, 1],
    [
      4,
      [
        [1, 1],
        [2, 9],
      ],
    ],
  ],
];
const SAMPLE: Field = [
  2,
  [
    [1, 1],
    [2, 5],
  ],
];
const WHOLE = [TYPE, SAMPLE, LOCATION, FUNCTION, ...TEXTS];

describe('shapes that other writers use', () => {
  test.each<[string, Field[]]>([
    ['unpacked numbers', WHOLE],
    [
      'packed numbers',
      [
        TYPE,
        [
          2,
          [
            [1, Uint8Array.of(1)],
            [2, Uint8Array.of(5)],
          ],
        ],
        LOCATION,
        FUNCTION,
        ...TEXTS,
      ],
    ],
    ['tables in the opposite order', [...TEXTS, FUNCTION, LOCATION, SAMPLE, TYPE]],
    [
      'tables in turn',
      [
        ...TEXTS.slice(0, 1),
        LOCATION,
        ...TEXTS.slice(1, 3),
        SAMPLE,
        TYPE,
        FUNCTION,
        ...TEXTS.slice(3),
      ],
    ],
    ['unknown fields', [...WHOLE, [99, 1], [100, 'x'], [16, 7]]],
    [
      'fields in a message that we do not know',
      [
        TYPE,
        [
          2,
          [
            [1, 1],
            [2, 5],
            [77, 'x'],
          ],
        ],
        LOCATION,
        FUNCTION,
        ...TEXTS,
      ],
    ],
    ['drop_frames, keep_frames, doc_url', [...WHOLE, [7, 3], [8, 3], [15, 3], [14, 1]]],
  ])('%s', (_, fields) => {
    const { samples, locations } = draw(decode(message(fields)));
    expect(samples).toEqual([{ stack: [0], values: [5n], labels: [] }]);
    expect(locations[0]?.lines).toEqual([[0, 9, 0]]);
  });

  test('tags with more bytes than they need', () => {
    const bytes = message([...WHOLE, [6, 'x']]);
    const last = bytes.length - 3;
    const long = Uint8Array.of(...bytes.subarray(0, last), 0xb2, 0, ...bytes.subarray(last + 1));
    expect(decode(long).texts.count).toBe(TEXTS.length + 1);
    expect(decode(long).textAt(TEXTS.length)).toBe('x');
  });

  test('no samples; no lines; lines without a function; negative lines', () => {
    expect(decode(message([TYPE, ...TEXTS])).samples.count).toBe(0);
    const bare = draw(
      decode(
        message([
          ...TEXTS,
          [
            4,
            [
              [1, 1],
              [4, []],
              [4, [[2, -1]]],
            ],
          ],
        ]),
      ),
    );
    expect(bare.locations[0]?.lines).toEqual([
      [-1, 0, 0],
      [-1, 0, 0],
    ]);
  });
});

describe('what is refused', () => {
  const deep = new Uint8Array(MAX_STACK_DEPTH + 1).fill(1);
  const withSample = (sample: Field[]) => [
    TYPE,
    SAMPLE,
    [2, sample] as Field,
    LOCATION,
    FUNCTION,
    ...TEXTS,
  ];
  test.each<[string, string, string, Field[]]>([
    ['nothing', 'invalid', 'sample_type', []],
    ['no strings', 'invalid', 'string_table[0]', [TYPE]],
    ['string 0 not empty', 'invalid', 'string_table[0]', [[6, 'x']]],
    ['a type beyond the strings', 'invalid', 'sample_type[0].type', [[1, [[1, 4]]], ...TEXTS]],
    [
      'a name beyond the strings',
      'invalid',
      'function[0].name',
      [
        [
          5,
          [
            [1, 1],
            [2, -1],
          ],
        ],
        ...TEXTS,
      ],
    ],
    [
      'a location that is not there',
      'invalid',
      'sample[1].location_id[1]',
      withSample([
        [1, 1],
        [1, 2],
        [2, 1],
      ]),
    ],
    [
      'a function that is not there',
      'invalid',
      'location[0].line[1].function_id',
      [
        [
          4,
          [
            [1, 1],
            [4, []],
            [4, [[1, 9]]],
          ],
        ],
        ...TEXTS,
      ],
    ],
    [
      'a mapping that is not there',
      'invalid',
      'location[0].mapping_id',
      [
        [
          4,
          [
            [1, 1],
            [2, 2 ** 40],
          ],
        ],
        ...TEXTS,
      ],
    ],
    ['id 0', 'invalid', 'function[0].id', [[5, [[2, 3]]], ...TEXTS]],
    ['an id twice', 'invalid', 'location[1].id', [[4, [[1, 7]]], [4, [[1, 7]]], ...TEXTS]],
    ['too few values', 'invalid', 'sample[1].value', withSample([[1, 1]])],
    [
      'a negative value',
      'unprocessable',
      'sample[1].value[0]',
      withSample([
        [1, 1],
        [2, -1],
      ]),
    ],
    ['a value of 2^53', 'unprocessable', 'sample[1].value[0]', withSample([[2, 2n ** 53n]])],
    ['a value of 2^63', 'unprocessable', 'sample[1].value[0]', withSample([[2, 2n ** 63n]])],
    [
      'a stack too deep',
      'too-large',
      'sample[1]',
      withSample([
        [1, deep],
        [2, 1],
      ]),
    ],
    ['a number where a message stands', 'invalid', 'sample[0]', [TYPE, [2, 1]]],
    ['text where a number stands', 'invalid', 'location[0]', [[4, [[1, 'x']]], ...TEXTS]],
    [
      'a message that runs over its end',
      'invalid',
      'location[0]',
      [[4, Uint8Array.of(34, 9, 1)], ...TEXTS],
    ],
    [
      'a number of 11 bytes',
      'invalid',
      'function[0]',
      [[5, new Uint8Array(12).fill(0xff)], ...TEXTS],
    ],
  ])('%s', (_, kind, field, fields) => {
    expect(() => decode(message(fields))).toThrow(expect.objectContaining({ kind, field }));
  });

  test('every beginning of a profile that ends within a field', () => {
    const whole = message(WHOLE);
    const ends = new Set(WHOLE.map((_, i) => message(WHOLE.slice(0, i)).length));
    for (let length = 0; length < whole.length; length++) {
      const cut = () => decode(whole.subarray(0, length));
      const isEnd = ends.has(length) && length > 0;
      expect(cut, `${length} bytes`).toThrow(expect.objectContaining({ kind: 'invalid' }));
      if (!isEnd) expect(cut).toThrow(/ends|announced|over the end|empty|is not/);
    }
  });

  test('a limit is named with its value', () => {
    const fields = withSample([
      [1, deep],
      [2, 1],
    ]);
    const limit = `MAX_STACK_DEPTH = ${MAX_STACK_DEPTH}`;
    expect(() => decode(message(fields))).toThrow(expect.objectContaining({ limit }));
  });
});

test('columns grow, and are used again for a smaller profile', () => {
  const columns = new PprofColumns();
  const decoder = new PprofDecoder(columns);
  const count = 10_000;
  const many = (row: (i: number) => Field) => Array.from({ length: count }, (_, i) => row(i));
  decoder.decode(
    message([
      TYPE,
      ...TEXTS,
      ...many((i) => [
        5,
        [
          [1, i + 1],
          [2, 3],
        ],
      ]),
      ...many((i) => [
        4,
        [
          [1, i + 1],
          [
            4,
            [
              [1, i + 1],
              [2, i],
            ],
          ],
        ],
      ]),
      ...many((i) => [
        2,
        [
          [1, i + 1],
          [2, i],
        ],
      ]),
      ...many((i) => [6, `${i}`]),
    ]),
  );
  const last = draw(columns);
  expect(last.samples[count - 1]).toEqual({ stack: [count - 1], values: [9999n], labels: [] });
  expect(last.locations[count - 1]?.lines).toEqual([[count - 1, count - 1, 0]]);
  decoder.decode(richPprof(2));
  expect(draw(columns)).toEqual(draw(decode(richPprof(2))));
});
