import { expect, test } from 'vitest';
import { MapsPacing } from './maps-pacing.ts';

/** A letter a window: what has no mapping (leaf or caller); a capital one is mapped by now. */
function draw(windows: string): string {
  const pacing = new MapsPacing();
  const reads = [...windows].map((letter) => {
    pacing.beginWindow();
    const isLeaf = letter.toLowerCase() === 'l';
    if (!pacing.allows(isLeaf)) return '.';
    pacing.settle(isLeaf, letter !== letter.toLowerCase());
    return pacing.allows(isLeaf) ? 'twice' : 'r';
  });
  return reads.join('');
}

test.each([
  ['leaves are looked for in every window', 'llllll', 'rrrrrr'],
  ['callers less and less', 'cccccccccccccccccccccccc', 'r.r..r....r......r......'],
  ['leaves all the same', 'cclclccl', 'r.rrr.rr'],
  ['a caller that is found was worth it', 'cccCcc', 'r.r..r'],
  ['and is looked for again soon', 'CCCcccc', 'rrrr.r.'],
])('%s', (_name, windows, reads) => expect(draw(windows)).toBe(reads));

test('a process just read is not read again in the same window', () => {
  expect(new MapsPacing().allows(true)).toBe(false);
});
