/** Blocks at start: what the catalogue names is looked at, what it does not name is removed. */
import type duckdb from '@duckdb/node-bindings';
import type { Database } from '../sql/database.ts';
import type { Block } from './block.ts';
import { type BlockPlace, changeBlocks } from './block-change.ts';
import { faultOf, makeFolders, removeFiles, removeOrphans, setAside } from './block-files.ts';
import { BlockLists } from './block-lists.ts';
import { NEXT_BLOCK, readBlockList, readMetaNumber } from './block-table.ts';

export interface OpenedBlocks {
  place: BlockPlace;
  orphansRemoved: number;
}

export async function openBlocks(
  database: Database,
  connection: duckdb.Connection,
  log: (line: string) => void,
): Promise<OpenedBlocks> {
  const { dataDir } = database;
  await makeFolders(dataDir);
  const list = await readBlockList(connection);
  const place: BlockPlace = {
    database,
    lists: new BlockLists(list),
    nextBlock: await readMetaNumber(connection, NEXT_BLOCK),
    discard: (names) => {
      removeFiles(dataDir, names).catch((error) => {
        log(`files of dropped blocks stay until the next start: ${String(error)}`);
      });
    },
  };
  const orphansRemoved = await removeOrphans(dataDir, list.blocks);
  const faults = new Map<Block, string>();
  for (const block of list.blocks) {
    if (block.damaged !== '') continue;
    const fault = await firstFault(dataDir, block);
    if (fault !== '') faults.set(block, fault);
  }
  await markDamaged(place, faults, new AbortController().signal, log);
  return { place, orphansRemoved };
}

async function firstFault(dataDir: string, { files }: Block): Promise<string> {
  for (const file of files) {
    const fault = await faultOf(dataDir, file);
    if (fault !== '') return fault;
  }
  return '';
}

/** Blocks with a fault are not read any more; what is left of their files is kept elsewhere. */
export async function markDamaged(
  place: BlockPlace,
  faults: ReadonlyMap<Block, string>,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<void> {
  if (faults.size === 0) return;
  await changeBlocks(place, signal, async (change) => {
    for (const [block, damaged] of faults) {
      change.drop(block);
      change.add({ ...block, damaged });
    }
  });
  for (const [block, fault] of faults) {
    log(`block ${block.id} is damaged and set aside: ${fault}`);
    await setAside(place.database.dataDir, block);
  }
}
