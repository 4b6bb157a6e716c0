/**
 * Which blocks become one. Each file of a block costs every query half a millisecond of planning,
 * so the blocks of a day that is over are merged, and where even days are too many, weeks and
 * longer spans, the oldest first. Blocks of late data join their day.
 */
import { type Block, DICTIONARY_TABLES, fileOf, HOUR_MS } from './block.ts';

const DAY_MS = 24 * HOUR_MS;
/** Requests of a day that is over have come by then. */
const GRACE_MS = HOUR_MS;
/** Blocks of rows, and of dictionaries, that may stay as they are. */
export const MAX_ROW_BLOCKS = 150;
export const MAX_DICTIONARY_BLOCKS = 32;
/** Spans that days become where there are too many, in days. */
const WIDER_SPANS = [7, 28, 364];

/** Groups of at least two blocks of one kind, each to become one block. */
export function planMerges(blocks: readonly Block[], nowMs: number): Block[][] {
  return [...planRowMerges(blocks, nowMs), ...planDictionaryMerges(blocks)];
}

function planRowMerges(blocks: readonly Block[], nowMs: number): Block[][] {
  const rows = blocks.filter(({ kind, damaged }) => kind === 'rows' && damaged === '');
  const old = rows.filter(({ toMs }) => dayOf(toMs - 1) < dayOf(nowMs - GRACE_MS));
  const days = groupsOf(old, DAY_MS);
  let left = rows.length - saved(days);
  if (left <= MAX_ROW_BLOCKS) return days.filter((group) => group.length > 1);
  for (const span of WIDER_SPANS) {
    const merged: Block[][] = [];
    const wider = groupsOf(old, span * DAY_MS);
    left = rows.length - saved(days);
    for (const group of wider) {
      if (left <= MAX_ROW_BLOCKS) break;
      const members = new Set(group);
      const apart = days.filter(([first]) => first !== undefined && members.has(first)).length;
      merged.push(group);
      left -= apart - 1;
    }
    if (left <= MAX_ROW_BLOCKS || span === WIDER_SPANS.at(-1)) {
      const taken = new Set(merged.flat());
      const rest = days.filter((group) => !group.some((block) => taken.has(block)));
      return [...merged, ...rest].filter((group) => group.length > 1);
    }
  }
  return [];
}

/** Blocks by the span of time that their first row is in, the oldest first. */
function groupsOf(blocks: readonly Block[], spanMs: number): Block[][] {
  const groups = new Map<number, Block[]>();
  for (const block of [...blocks].sort((a, b) => a.fromMs - b.fromMs)) {
    const key = Math.floor(block.fromMs / spanMs);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [block]);
    else group.push(block);
  }
  return [...groups.values()];
}

function saved(groups: readonly Block[][]): number {
  return groups.reduce((sum, group) => sum + group.length - 1, 0);
}

function dayOf(ms: number): number {
  return Math.floor(ms / DAY_MS);
}

/**
 * Neighbours of one level, so that a row is rewritten a few times in its life and not every day.
 * What is damaged stays apart, and so does what lies on both sides of it: no file has numbers that
 * another one has.
 */
function planDictionaryMerges(blocks: readonly Block[]): Block[][] {
  const runs = dictionaryRuns(blocks);
  const fresh = runs.flatMap((run) =>
    runsOf(run, (last, { level }) => last.level === 0 && level === 0),
  );
  const count = blocks.filter(({ kind }) => kind === 'dictionary').length;
  const isMany = count - saved(fresh) > MAX_DICTIONARY_BLOCKS;
  return (isMany ? runs : fresh).filter((run) => run.length > 1);
}

/** Blocks of dictionaries that are whole, each of which may be one with its neighbours. */
export function dictionaryRuns(blocks: readonly Block[]): Block[][] {
  const dictionaries = blocks.filter(({ kind }) => kind === 'dictionary').sort(byIds);
  return runsOf(dictionaries, (last, block) => isWhole(last) && isWhole(block)).flatMap((run) =>
    runsOf(run.filter(isWhole), goesOn),
  );
}

/** Blocks in order, parted where two neighbours do not belong together. */
function runsOf(
  blocks: readonly Block[],
  belong: (last: Block, block: Block) => boolean,
): Block[][] {
  const runs: Block[][] = [];
  for (const block of blocks) {
    const run = runs.at(-1);
    const last = run?.at(-1);
    if (run !== undefined && last !== undefined && belong(last, block)) run.push(block);
    else runs.push([block]);
  }
  return runs;
}

/** The four tables grow together, so the first one that both blocks have tells which is earlier. */
function byIds(a: Block, b: Block): number {
  for (const table of DICTIONARY_TABLES) {
    const [first, other] = [fileOf(a, table)?.ids?.[0], fileOf(b, table)?.ids?.[0]];
    if (first !== undefined && other !== undefined) return first - other;
  }
  return a.id - b.id;
}

/** Whether the ids of each table that both blocks have go on without a gap. */
function goesOn(last: Block, block: Block): boolean {
  return DICTIONARY_TABLES.every((table) => {
    const [end, first] = [fileOf(last, table)?.ids?.[1], fileOf(block, table)?.ids?.[0]];
    return end === undefined || first === undefined || end === first;
  });
}

function isWhole({ damaged }: Block): boolean {
  return damaged === '';
}
