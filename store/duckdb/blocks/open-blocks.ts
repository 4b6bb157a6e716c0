/** Blocks at start: what the catalogue names is looked at, what it does not name is removed. */
import type duckdb from '@duckdb/node-bindings';
import type { Database } from '../sql/database.ts';
import { type Block, type BlockFile, isDerived } from './block.ts';
import { type BlockPlace, changeBlocks } from './block-change.ts';
import {
  contentFaultOf,
  faultOf,
  makeFolders,
  removeFiles,
  removeOrphans,
  setAside,
} from './block-files.ts';
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
    const fault = file.lost === true ? '' : await faultOf(dataDir, file);
    if (fault !== '') return fault;
  }
  return '';
}

/**
 * What is damaged is not read any more; what is left of its files is kept elsewhere. Returns the
 * blocks whose rows are missing now: those that lost derived files alone go on without.
 */
export async function markDamaged(
  place: BlockPlace,
  faults: ReadonlyMap<Block, string>,
  signal: AbortSignal,
  log: (line: string) => void,
): Promise<Block[]> {
  if (faults.size === 0) return [];
  const { dataDir } = place.database;
  const marked: Block[] = [];
  for (const [block, fault] of faults) {
    const files = await markLost(dataDir, block);
    const lost = files.filter((file) => file.lost === true);
    if (block.kind === 'dictionary') marked.push({ ...block, damaged: fault, files });
    else if (lost.length > 0 && lost.every(isDerived)) marked.push({ ...block, files });
    else marked.push({ ...block, damaged: fault });
  }
  await changeBlocks(place, signal, async (change) => {
    for (const block of faults.keys()) change.drop(block);
    for (const block of marked) change.add(block);
  });
  for (const { id, kind, damaged, files } of marked) {
    log(
      damaged === ''
        ? `derived files of block ${id} are damaged and set aside; its rows are read instead`
        : `block ${id} is damaged and set aside: ${damaged}`,
    );
    const isWhole = kind === 'rows' && damaged !== '';
    await setAside(dataDir, isWhole ? files : files.filter(({ lost }) => lost === true));
  }
  return marked.filter(({ damaged }) => damaged !== '');
}

async function markLost(dataDir: string, { files }: Block): Promise<BlockFile[]> {
  const marked: BlockFile[] = [];
  for (const file of files) {
    const fault = file.lost === true ? '' : await contentFaultOf(dataDir, file);
    marked.push(fault === '' ? file : { ...file, lost: true });
  }
  return marked;
}
