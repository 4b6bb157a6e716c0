import { describe, expect, test } from 'vitest';
import type { DebuginfoRowJson } from '../../wire/http.ts';
import type { BinarySort, SymbolsState } from '../url-state.ts';
import {
  filterRows,
  isBusy,
  listedRows,
  nameOf,
  originsOf,
  readRows,
  reasonsOf,
  sendableAs,
  shortBuildId,
  sortRows,
  sumReasons,
} from './binary-rows.ts';

/** `file state quality self unnamed`, a line per binary; what has no name has one reason. */
function draw(text: string): DebuginfoRowJson[] {
  return text
    .trim()
    .split('\n')
    .map((line, index) => {
      const [file = '', state, quality, self, unnamed] = line.trim().split(/\s+/);
      const weight = Number(unnamed);
      return {
        build_id: `${index}`.repeat(40),
        file,
        quality: quality as DebuginfoRowJson['quality'],
        state: state as DebuginfoRowJson['state'],
        sources:
          state === 'absent'
            ? []
            : [
                {
                  kind: 'debuginfo',
                  file: `${file}.debug`,
                  origin: 'upload',
                  from: 'web-1',
                  size_bytes: 1000 * (index + 1),
                  received_ms: 0,
                },
              ],
        symbol_file_bytes: 10,
        functions: 100 - index,
        inlined_calls: 0,
        left_out: {},
        self: Number(self),
        total: Number(self) * 2,
        unsymbolized:
          weight > 0
            ? { [state === 'failed' ? 'not covered' : 'no debug information']: weight }
            : {},
        problem: state === 'failed' ? 'DWARF version 9' : '',
        remedy: '',
        retry_ms: null,
      };
    });
}

const ROWS = draw(`
  checkout    ready      lines    50  0
  libc.so.6   ready      exported 20  2
  libssl.so.3 absent     none     10 10
  node        converting none      8  8
  broken      failed     symbols   5  5
`);
const ANSWER = {
  debuginfo: ROWS,
  bytes_on_disk: 0,
  max_bytes: 0,
  local_paths: [],
  debuginfod_urls: [],
  type: '',
  unit: '',
  from_ms: 0,
  to_ms: 1,
  total: 100,
};
const rows = readRows(ANSWER);
const files = (list: readonly { file: string }[]) => list.map(({ file }) => file).join(' ');

test.each<[BinarySort, string]>([
  ['unnamed', 'libssl.so.3 node broken libc.so.6 checkout'],
  ['self', 'checkout libc.so.6 libssl.so.3 node broken'],
  ['file', 'broken checkout libc.so.6 libssl.so.3 node'],
  ['quality', 'checkout broken libc.so.6 libssl.so.3 node'],
  ['state', 'broken libssl.so.3 node checkout libc.so.6'],
  ['size', 'broken node libc.so.6 checkout libssl.so.3'],
  ['functions', 'checkout libc.so.6 libssl.so.3 node broken'],
])('by %s: %s', (sort, order) => expect(files(sortRows(rows, sort))).toBe(order));

test('what lies in a folder of the server is not counted', () => {
  const [row] = draw('checkout ready lines 50 0');
  const sources = row?.sources.map((source) => ({ ...source, origin: 'local' as const })) ?? [];
  const local = readRows({ ...ANSWER, debuginfo: row === undefined ? [] : [{ ...row, sources }] });
  expect([rows[0]?.sizeBytes, local[0]?.sizeBytes]).toEqual([1_010, 10]);
});

const ALL = { find: '', filter: '', reason: '' } as const;
test.each<[Partial<SymbolsState>, string]>([
  [{}, 'checkout libc.so.6 libssl.so.3 node broken'],
  [{ filter: 'unnamed' }, 'libc.so.6 libssl.so.3 node broken'],
  [{ filter: 'absent' }, 'libssl.so.3'],
  [{ reason: 'not covered' }, 'broken'],
  [{ find: ' LIB' }, 'libc.so.6 libssl.so.3'],
  [{ find: '2222' }, 'libssl.so.3'],
  [{ find: 'dwarf' }, 'broken'],
  [{ find: 'web-1', filter: 'ready' }, 'checkout libc.so.6'],
  [{ find: 'nothing' }, ''],
])('%j shows %s', (state, shown) => {
  expect(files(filterRows(rows, { ...ALL, ...state }))).toBe(shown);
});

test.each<[boolean, SymbolsState['filter'], string]>([
  [false, '', 'checkout idle'],
  [true, '', 'checkout'],
  [true, 'ready', 'checkout'],
  [true, 'known', 'checkout idle'],
])('narrowed by labels: %j, filter %j: %s', (narrowed, filter, listed) => {
  const two = readRows({
    ...ANSWER,
    debuginfo: draw('checkout ready lines 50 0\nidle ready lines 0 0'),
  });
  expect(files(filterRows(listedRows(two, narrowed, filter), { ...ALL, filter }))).toBe(listed);
});

test('rows without a build id are told apart by their names', () => {
  const bare = draw('app absent none 4 4\nlib absent none 2 2').map((row) => ({
    ...row,
    build_id: '',
  }));
  expect(readRows({ ...ANSWER, debuginfo: bare }).map(({ key }) => key)).toEqual([
    'file app',
    'file lib',
  ]);
});

describe('words', () => {
  test('reasons, the heaviest first', () => {
    expect(sumReasons(rows)).toEqual([
      ['no debug information', 20],
      ['not covered', 5],
    ]);
    const [broken] = rows.filter(({ file }) => file === 'broken');
    expect(broken && reasonsOf(broken)[0]?.title).toBe('No function is there');
  });

  test('sources once each', () => {
    const [first] = rows;
    if (first === undefined) throw new Error('no row');
    const [source] = first.sources;
    if (source === undefined) throw new Error('no source');
    const local = { ...source, origin: 'local' } as const;
    expect(originsOf({ ...first, sources: [source, local, source] })).toBe('Upload, Local path');
    expect(originsOf({ ...first, sources: [] })).toBe('');
  });

  test.each([
    ['app', 'b5fafb4d', 'app', 'any'],
    ['', 'b5fafb4db5fafb4db5fafb4d', 'b5fafb4db5fafb4db5fa…', 'any'],
    ['', 'htl:00ff', 'htl:00ff', 'exact'],
    ['app', '', 'app', 'none'],
  ])('%j of build id %j is called %j; what can be sent: %s', (file, build_id, name, from) => {
    expect([nameOf({ file, build_id }), sendableAs({ build_id })]).toEqual([name, from]);
  });

  test.each([
    ['0123456789abcdef', '0123456789'],
    ['go:AbCdEfGhIjKlMn', 'AbCdEfGhIj'],
    ['htl:00ff', '00ff'],
  ])('build id %s is %s', (id, short) => expect(shortBuildId(id)).toBe(short));
});

test('the page asks more often while the server is at work', () => {
  expect(isBusy(ANSWER)).toBe(true);
  expect(isBusy({ ...ANSWER, debuginfo: draw('a ready lines 1 0') })).toBe(false);
  expect(isBusy(undefined)).toBe(false);
});
