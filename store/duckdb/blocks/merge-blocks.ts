/** Several blocks become one, in one transaction; the catalogue names either them or it. */
import {
  type Block,
  type BlockFile,
  DICTIONARY_TABLES,
  type DictionaryTable,
  type FileTable,
  fileOf,
} from './block.ts';
import { type BlockChange, type BlockPlace, changeBlocks } from './block-change.ts';
import { dictionaryRows } from './dictionary-file.ts';
import { fileRows, forgetReplacedWindows, writeRowBlock } from './row-block.ts';

export interface MergeResult {
  /** Rows of profiles that met others and are one row with them now. */
  mergedProfiles: number;
}

export function mergeBlocks(
  place: BlockPlace,
  group: readonly Block[],
  nowMs: number,
  signal: AbortSignal,
): Promise<MergeResult> {
  return changeBlocks(place, signal, async (change) => {
    for (const block of group) change.drop(block);
    if (group[0]?.kind === 'dictionary') {
      await mergeDictionaries(change, group, nowMs, () => 'true');
      return { mergedProfiles: 0 };
    }
    const merged = await writeRowBlock(change, {
      source: (table) => fileRows(change, filesOf(group, table)),
      where: () => 'true',
      parts: group,
      level: nextLevel(group),
      nowMs,
    });
    await forgetReplacedWindows(change);
    const before = group.reduce((sum, { profiles }) => sum + profiles, 0);
    return { mergedProfiles: before - (merged?.profiles ?? 0) };
  });
}

/** One block of neighbours: the rows that meet a condition, among them the last of each table. */
export async function mergeDictionaries(
  change: BlockChange,
  group: readonly Block[],
  nowMs: number,
  where: (table: DictionaryTable, firstId: number) => string,
): Promise<Block> {
  const id = change.newId();
  const files: BlockFile[] = [];
  for (const table of DICTIONARY_TABLES) {
    const parts = filesOf(group, table).sort((a, b) => firstId(a) - firstId(b));
    const rows = fileRows(change, parts);
    if (rows === null) continue;
    const first = firstId(parts[0]);
    const source = `${rows} WHERE ${where(table, first)}`;
    const file = await change.copy(id, table, dictionaryRows(table, source));
    if (file === null) continue;
    const end = Math.max(...parts.map(({ ids }) => ids?.[1] ?? 0));
    files.push({ ...file, ids: [first, end] });
  }
  const block: Block = {
    ...{ id, kind: 'dictionary', level: nextLevel(group), sealedMs: nowMs, damaged: '' },
    ...{ fromMs: 0, toMs: 0, samples: 0, profiles: 0, windows: 0 },
    files,
  };
  change.add(block);
  return block;
}

function firstId(file: BlockFile | undefined): number {
  return file?.ids?.[0] ?? 0;
}

function filesOf(blocks: readonly Block[], table: FileTable): BlockFile[] {
  return blocks.flatMap((block) => fileOf(block, table) ?? []);
}

/** The column has a byte. */
function nextLevel(group: readonly Block[]): number {
  return Math.min(255, 1 + Math.max(...group.map(({ level }) => level)));
}
