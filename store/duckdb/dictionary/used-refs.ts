/** Which rows of the dictionaries the rows that can be found refer to, from stacks downwards. */
import { SharedHashTable } from '../../../profile/hash-table.ts';
import type { DictionaryTable } from '../blocks/block.ts';
import { Turn } from '../catalogue/turn.ts';
import type { Dictionaries } from './dictionaries.ts';
import type { IdIndex } from './id-index.ts';
import { RefSet } from './ref-set.ts';

/** Slots between looks at the clock: stacks of 4,096 frames take a millisecond. */
const STEP_SLOTS = 256;

/** By table: members stay. */
export type UsedRefs = Record<DictionaryTable, RefSet>;

export function emptyRefs(ends: Readonly<Record<DictionaryTable, number>>): UsedRefs {
  return {
    strings: new RefSet(ends.strings),
    functions: new RefSet(ends.functions),
    locations: new RefSet(ends.locations),
    stacks: new RefSet(ends.stacks),
  };
}

/** Visits the refs of an index whose rows are found, but not those that are hidden, in turns. */
export async function eachRef(
  { committed, committedCount, count }: IdIndex,
  visit: (ref: number) => void,
): Promise<void> {
  const turn = new Turn();
  // What is published meanwhile may be in another table already.
  const table = new SharedHashTable(committed.words, committed.size);
  const see = (_low: number, _high: number, ref: number): void => visit(ref);
  for (let from = 0; from < table.slots; from += STEP_SLOTS) {
    table.visit(from, from + STEP_SLOTS, see);
    if (turn.isOver()) await turn.next();
  }
  for (let ref = committedCount; ref < count; ref++) {
    visit(ref);
    if (ref % STEP_SLOTS === 0 && turn.isOver()) await turn.next();
  }
}

/** Adds to `used` what rows of the table that are members there refer to. */
export async function markUsed(
  dictionaries: Dictionaries,
  table: 'stacks' | 'locations' | 'functions',
  used: UsedRefs,
): Promise<void> {
  const { stacks, locations, functions } = dictionaries;
  const marks = {
    stacks: (ref: number): void => {
      const end = stacks.offsets.data[ref + 1] as number;
      for (let at = stacks.offsets.data[ref] as number; at < end; at++) {
        used.locations.add(stacks.locations.data[at] as number);
      }
    },
    locations: (ref: number): void => {
      used.strings.add(locations.binary.data[ref] as number);
      used.strings.add(locations.buildId.data[ref] as number);
      const end = locations.lineOffsets.data[ref + 1] as number;
      for (let at = locations.lineOffsets.data[ref] as number; at < end; at++) {
        used.functions.add(locations.lineFunction.data[at] as number);
      }
    },
    functions: (ref: number): void => {
      used.strings.add(functions.name.data[ref] as number);
      used.strings.add(functions.systemName.data[ref] as number);
      used.strings.add(functions.file.data[ref] as number);
    },
  };
  const mark = marks[table];
  const members = used[table];
  await eachRef(dictionaries[table].index, (ref) => {
    if (members.has(ref)) mark(ref);
  });
}
