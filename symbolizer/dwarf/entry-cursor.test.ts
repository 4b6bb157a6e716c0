import { describe, expect, test } from 'vitest';
import { abbreviation, text, u8, u16, u32, u64, uleb } from '../../test/fixtures/dwarf-bytes.ts';
import { type FormSizes, findAbbreviation, readAbbreviations, Slot } from './abbreviations.ts';
import { viewOf } from './dwarf-file.ts';
import { EntryCursor } from './entry-cursor.ts';
import { WorkBudget } from './work-budget.ts';

const SIZES: FormSizes = { version: 5, addressSize: 8, offsetSize: 4 };
const SUBPROGRAM = 0x2e;
const CALL_LINE = 0x59;
/** DW_AT_decl_line, which nobody asks for. */
const OTHER = 0x3b;

function tableOf(bytes: number[], sizes = SIZES) {
  return readAbbreviations(Uint8Array.from([...bytes, 0]), 0, sizes, new WorkBudget(0));
}

/** Reads one entry of a function; the cursor is behind it. */
function readEntry(table: ReturnType<typeof tableOf>, bytes: number[], sizes = SIZES): EntryCursor {
  const info = Uint8Array.from(bytes);
  const cursor = new EntryCursor();
  cursor.enter(viewOf(info), info, 0, info.length, sizes);
  cursor.readAttributes(table, findAbbreviation(table, cursor.uleb()));
  return cursor;
}

const LONG = [...new Array<number>(70_000).keys()].map((i) => i & 0xff);
const PADDING = new Array<number>(200).fill(0x80);
const FORMS: [name: string, form: number[], value: number[], read: number][] = [
  ['addr', u8(0x01), u64(0x1122334455), 0x1122334455],
  ['block2', u8(0x03), [...u16(3), 1, 2, 3], 0],
  ['block4', u8(0x04), [...u32(70_000), ...LONG], 0],
  ['data2', u8(0x05), u16(0xfffe), 0xfffe],
  ['data4', u8(0x06), u32(0xfffffffe), 0xfffffffe],
  ['data8', u8(0x07), u64(2 ** 40), 2 ** 40],
  ['string', u8(0x08), text('name'), 1],
  ['block', u8(0x09), [...uleb(200), ...LONG.slice(0, 200)], 0],
  ['block1', u8(0x0a), [2, 9, 9], 0],
  ['data1', u8(0x0b), [255], 255],
  ['flag', u8(0x0c), [1], 1],
  ['sdata', u8(0x0d), [0x80, 0x7f], 2 ** 53],
  ['strp', u8(0x0e), u32(77), 77],
  ['udata', u8(0x0f), uleb(300), 300],
  // 7 bits each, so many that their power of 2 is no number.
  ['sdata, padded', u8(0x0d), [0x81, ...PADDING, 0], 1],
  ['udata, padded', u8(0x0f), [0x81, ...PADDING, 0], 1],
  ['ref_addr', u8(0x10), u32(77), 77],
  ['ref_udata', u8(0x15), uleb(129), 129],
  ['indirect', u8(0x16), [0x05, ...u16(515)], 515],
  ['sec_offset', u8(0x17), u32(5), 5],
  ['exprloc', u8(0x18), [1, 0x9c], 0],
  ['flag_present', u8(0x19), [], 0],
  ['strx', u8(0x1a), uleb(4), 4],
  ['data16', u8(0x1e), [...u64(1), ...u64(2)], 0],
  ['ref_sig8', u8(0x20), u64(9), 9],
  ['implicit_const', [0x21, 0x7f], [], 2 ** 53],
  ['strx3', u8(0x27), [1, 2, 3], 0x030201],
  ['addrx4', u8(0x2c), u32(8), 8],
  ['GNU_addr_index', uleb(0x1f01), uleb(500), 500],
  ['GNU_strp_alt', uleb(0x1f21), u32(6), 6],
];

describe('forms', () => {
  test.each(FORMS)('%s is read and skipped', (_, form, value, read) => {
    const attributes = (first: number) => [first, ...form, CALL_LINE, 0x0b, 0, 0];
    // The value itself, and the byte behind it.
    const asked = tableOf([1, SUBPROGRAM, 0, ...attributes(0x58)]);
    const cursor = readEntry(asked, [1, ...value, 42]);
    expect(cursor.values[Slot.callFile]).toBe(read);
    expect(cursor.values[Slot.callLine]).toBe(42);
    const unasked = tableOf([1, SUBPROGRAM, 0, ...attributes(OTHER)]);
    expect(readEntry(unasked, [1, ...value, 42]).values[Slot.callLine]).toBe(42);
  });

  test('have the sizes of their unit', () => {
    const bytes = abbreviation(1, SUBPROGRAM, 0, [OTHER, 0x10], [OTHER, 0x0e], [CALL_LINE, 0x0b]);
    const read = (sizes: FormSizes, value: number[]) =>
      readEntry(tableOf(bytes, sizes), [1, ...value, 42], sizes).values[Slot.callLine];
    // DW_FORM_ref_addr is an address before DWARF 3, DW_FORM_strp always an offset.
    expect(read({ version: 2, addressSize: 8, offsetSize: 4 }, [...u64(1), ...u32(2)])).toBe(42);
    expect(read({ version: 3, addressSize: 4, offsetSize: 8 }, [...u64(1), ...u64(2)])).toBe(42);
  });
});

describe('abbreviations', () => {
  test('attributes nobody asks for are skipped in one step', () => {
    const fixed: [number, number][] = [
      [OTHER, 0x01],
      [OTHER, 0x0b],
      [OTHER, 0x19],
      [OTHER, 0x1e],
    ];
    const table = tableOf(abbreviation(1, 0x34, 0, ...fixed));
    expect(table.fixedSize[0]).toBe(8 + 1 + 0 + 16);
  });

  test('codes may be large, out of order and double: the first counts', () => {
    const table = tableOf([
      ...abbreviation(900_000, SUBPROGRAM, 1),
      ...abbreviation(3, 0x1d, 0),
      ...abbreviation(900_000, 0x34, 0),
    ]);
    const rows = [900_000, 3, 1, 2 ** 40].map((code) => findAbbreviation(table, code));
    expect(rows).toEqual([0, 1, -1, -1]);
    expect([...table.hasChildren]).toEqual([1, 0, 0]);
  });

  test.each<[string, number[]]>([
    ['without an end', [1, SUBPROGRAM, 0, CALL_LINE, 0x0b]],
    ['of nothing', []],
  ])('a table %s is damaged', (_, bytes) => {
    const read = () => readAbbreviations(Uint8Array.from(bytes), 0, SIZES, new WorkBudget(0));
    expect(read).toThrow('has no end');
  });

  test.each<[string, number[], number[]]>([
    ['an unknown form', [OTHER, 0x7e], [1]],
    ['an indirect form that is indirect again', [OTHER, 0x16], [1, 0x16, 0x16, 0x0b, 1]],
    ['a block longer than the unit', [OTHER, 0x09], [1, ...uleb(2 ** 31), 0]],
    ['a block cut off in its length', [OTHER, 0x04], [1, 0, 0]],
    ['an address cut off', [0x11, 0x01], [1, 0, 0]],
    ['a string without an end', [OTHER, 0x08], [1, 65, 66]],
    ['a number without an end', [OTHER, 0x0f], [1, 0x80, 0x80]],
  ])('%s is damage', (_, attribute, entry) => {
    const table = tableOf([1, SUBPROGRAM, 0, ...attribute, 0, 0]);
    expect(() => readEntry(table, entry)).toThrow();
  });
});
