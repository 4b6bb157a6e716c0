/** Ids and lengths of stacks when a store is opened, which writes need; frames: load-frames.ts. */
import { join } from 'node:path';
import duckdb from '@duckdb/node-bindings';
import { assert } from '../../../profile/errors.ts';
import type { Block } from '../blocks/block.ts';
import { contentFaultOf } from '../blocks/block-files.ts';
import { COUNTED_DEPTH, DEPTH } from '../blocks/dictionary-file.ts';
import { columnFactsSql, parquetRows } from '../sql/parquet-source.ts';
import { eachChunk, ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { IdRows, isWholePart, partsOf, type Sealed, skipTo } from './dictionary-parts.ts';
import type { StackPart } from './load-frames.ts';
import type { LostRows } from './lost-rows.ts';
import type { SharedColumn } from './shared-column.ts';

/** Adds to `faults` what is wrong with blocks whose stacks cannot be read. */
export async function loadStackIds(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  sealed: Sealed,
  lost: LostRows,
  faults: Map<Block, string>,
): Promise<StackPart[]> {
  for (;;) {
    const loaded = await tryLoadStackIds(connection, dictionaries, sealed, lost, faults);
    if (loaded !== null) return loaded;
    const { index, offsets } = dictionaries.stacks;
    index.clear();
    offsets.length = 1;
  }
}

/** Null where one more file turned out damaged: what was read of it must go. */
async function tryLoadStackIds(
  connection: duckdb.Connection,
  dictionaries: Dictionaries,
  { dataDir, list }: Sealed,
  lost: LostRows,
  faults: Map<Block, string>,
): Promise<StackPart[] | null> {
  const { index, offsets, locations } = dictionaries.stacks;
  const inBlocks = partsOf(list, 'stacks');
  const count = Math.max(0, ...inBlocks.map(({ ids }) => ids[1]));
  index.committed.reserve(count);
  offsets.reserve(count);
  const parts: StackPart[] = [];
  // Of files one after the other, and not in the index yet.
  let waiting = new IdRows(index, { expected: count });
  let areFound = true;
  const load = async (then: () => void | Promise<void> = () => undefined): Promise<void> => {
    waiting.load();
    await then();
    waiting = new IdRows(index, { found: areFound, expected: count - index.count });
  };
  const fill = async (end: number): Promise<void> => {
    if (waiting.next >= end) return;
    await load(async () => {
      const location = await lost.lostLocation();
      lost.fillStackIds(end);
      parts.push({ from: 'nowhere', end, location });
    });
  };
  const read = async (source: string, { depth, most }: Lists, found: boolean) => {
    const stop = (offsets.data[offsets.length - 1] as number) + most;
    if (found !== areFound) {
      areFound = found;
      await load();
    }
    const before = waiting.count;
    await eachChunk(connection, `SELECT id, hash, ${depth} FROM ${source}`, (rows) => {
      const refs = waiting.take(rows);
      const lengths = rows.u32(2);
      const ends = new Uint32Array(lengths.length);
      let end = offsets.data[offsets.length - 1] as number;
      for (let row = 0; row < ends.length; row++) {
        end += lengths[row] as number;
        ends[row] = end;
      }
      assert(end <= stop, 'the lengths of stacks that a file has lists for');
      appendEnds(offsets, refs, ends);
    });
    return { next: waiting.next, count: waiting.count - before };
  };
  for (const inBlock of inBlocks) {
    const { block, file, ids } = inBlock;
    await fill(ids[0]);
    if (file.lost === true || faults.get(block)?.startsWith(file.name)) continue;
    const path = join(dataDir, file.name);
    const found = block.damaged === '' && !faults.has(block);
    const reading = async () => read(parquetRows([path]), await listsIn(connection, path), found);
    const [part] = await Promise.allSettled([reading()]);
    if (part.status === 'rejected' || !isWholePart(inBlock, part.value)) {
      const fault = await contentFaultOf(dataDir, file);
      if (fault === '' && part.status === 'rejected') throw part.reason;
      faults.set(block, fault === '' ? `${file.name} lacks rows` : fault);
      return null;
    }
    parts.push({ from: 'file', end: ids[1], block, file });
  }
  await fill(count);
  await load();
  const first = waiting.next;
  const hot = await read('stacks', { depth: COUNTED_DEPTH, most: 2 ** 32 }, true);
  assert(hot.next - first === hot.count, 'stacks that are not sealed are all there');
  waiting.load();
  locations.extend(offsets.data[index.count] as number);
  return [...parts, { from: 'table', end: index.count }];
}

/** Nothing lies between the offsets of refs that no row has. */
function appendEnds(
  offsets: SharedColumn<Uint32Array>,
  refs: Uint32Array,
  ends: Uint32Array,
): void {
  const first = refs[0] ?? 0;
  const isDense = (refs.at(-1) ?? 0) - first === refs.length - 1;
  const step = isDense ? refs.length : 1;
  for (let row = 0; row < refs.length; row += step) {
    skipTo(refs[row] as number, offsets, offsets.data[offsets.length - 1] as number);
    offsets.append(ends.subarray(row, row + step));
  }
}

interface Lists {
  /** SQL: the length of one. */
  depth: string;
  /** Lengths that add up to more are damaged; nothing is allocated for them. */
  most: number;
}

async function listsIn(connection: duckdb.Connection, path: string): Promise<Lists> {
  const facts = columnFactsSql(path, DEPTH, 'locations');
  const found = new ResultColumns(await duckdb.query(connection, facts));
  const [hasDepth = 0, most = 0] = [found.f64(0)[0], found.f64(1)[0]];
  return { depth: hasDepth > 0 ? DEPTH : COUNTED_DEPTH, most };
}
