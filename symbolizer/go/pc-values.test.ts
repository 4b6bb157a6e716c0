import fc from 'fast-check';
import { expect, test } from 'vitest';
import { PcValues } from './pc-values.ts';

/** One character per byte of code: the value there, `.` for -1. */
function draw(bytes: number[], quantum: number, size: number): string {
  const values = new PcValues();
  if (!values.read(Uint8Array.from(bytes), 0, quantum, size)) return 'damaged';
  return Array.from({ length: size }, (_, pc) => values.at(pc))
    .map((value) => (value < 0 ? '.' : String(value)))
    .join('');
}

test.each([
  ['from -1 up', [2, 3, 4, 2, 0], 1, 8, '00022...'],
  ['down', [12, 2, 3, 2, 0], 1, 4, '5533'],
  ['the first difference may be 0', [0, 2, 2, 1, 0], 1, 4, '..0.'],
  ['addresses count instructions', [2, 1, 2, 2, 0], 4, 12, '000011111111'],
  ['the code ends before the table', [2, 100, 2, 100, 0], 1, 3, '000'],
  ['two bytes of a difference', [2, 0x81, 0x00, 4, 1, 0], 1, 3, '02.'],
  ['it does not end', [2, 3, 4], 1, 8, 'damaged'],
  ['a varint does not end', [2, 0x80], 1, 8, 'damaged'],
  ['a varint of six bytes', [2, 0x80, 0x80, 0x80, 0x80, 0x80, 1], 1, 8, 'damaged'],
  ['a row of no code', [2, 0, 2, 1, 0], 1, 8, 'damaged'],
  ['nothing', [], 1, 8, 'damaged'],
])('%s', (_, bytes, quantum, size, picture) => {
  expect(draw(bytes, quantum, size)).toBe(picture);
});

test('any rows come back, and any bytes do no harm', () => {
  const row = fc.record({
    value: fc.integer({ min: -1, max: 2 ** 30 }),
    length: fc.integer({ min: 1, max: 2 ** 18 }),
  });
  fc.assert(
    fc.property(fc.array(row, { minLength: 1 }), fc.constantFrom(1, 2, 4), (rows, quantum) => {
      const bytes: number[] = [];
      let last = -1;
      const kept = rows.filter(({ value }, i) => i === 0 || value !== rows[i - 1]?.value);
      let size = 0;
      for (const { value, length } of kept) {
        const difference = value - last;
        pushVarint(bytes, difference < 0 ? difference * -2 - 1 : difference * 2);
        pushVarint(bytes, length);
        last = value;
        size += length * quantum;
      }
      bytes.push(0);
      const values = new PcValues();
      expect(values.read(Uint8Array.from(bytes), 0, quantum, size)).toBe(true);
      expect(values.end).toBe(size);
      expect([...values.value.subarray(0, values.count)]).toEqual(kept.map(({ value }) => value));
    }),
    { seed: 4, numRuns: 200 },
  );
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.nat(1_000), (bytes, size) => {
      const values = new PcValues();
      values.read(bytes, 0, 1, size);
      expect(values.count).toBeLessThanOrEqual(bytes.length / 2);
      expect(values.end).toBeLessThanOrEqual(size);
    }),
    { seed: 5, numRuns: 500 },
  );
});

function pushVarint(bytes: number[], value: number): void {
  let rest = value;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) + 0x80);
  bytes.push(rest);
}
