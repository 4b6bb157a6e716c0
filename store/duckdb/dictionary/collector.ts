/**
 * Removes rows of the dictionaries that no sample uses any more, in two steps some time apart. The
 * first hides what seems to be unused, so that decoders send it whole again; what a batch names
 * meanwhile stays. The second looks again at what all stored samples use, forgets the ids of the
 * rest, and writes the files without their rows. Numbers are never given again, and what is in
 * memory stays there until the next start, for readers of older blocks.
 */
import { type Block, DICTIONARY_TABLES, type DictionaryTable, fileOf } from '../blocks/block.ts';
import { type BlockChange, type BlockPlace, changeBlocks } from '../blocks/block-change.ts';
import type { Maintenance } from '../blocks/maintenance.ts';
import { mergeDictionaries } from '../blocks/merge-blocks.ts';
import { dictionaryRuns } from '../blocks/merge-plan.ts';
import { areRowsRemoved, forgetRemovedRows } from '../blocks/removed-rows.ts';
import { fileRows } from '../blocks/row-block.ts';
import { type Repair, withoutDamaged } from '../blocks/without-damaged.ts';
import { Turn } from '../catalogue/turn.ts';
import type { ResultColumns } from '../sql/result-columns.ts';
import type { Dictionaries } from './dictionaries.ts';
import { eachRef, emptyRefs, markUsed, type UsedRefs } from './used-refs.ts';

/** Less than this part of the rows is not worth writing the files anew. */
const MIN_SHARE = 0.1;
/** Requests that were decoded before are answered by then. */
const GRACE_MS = 10 * 60_000;

interface CollectorOptions {
  place: BlockPlace;
  maintenance: Maintenance;
  repair: Repair;
  dictionaries: Dictionaries;
  writer: {
    /** Once every batch that was resolved before is durable or refused. */
    drained(): Promise<void>;
    /** Runs a job between two transactions. */
    alone<T>(job: () => Promise<T>): Promise<T>;
  };
  /** Once stacks have their frames. */
  loaded: Promise<void>;
  nowMs: () => number;
}

export class DictionaryCollector {
  readonly stats = { dictionaryRowsRemoved: 0 };
  readonly #options: CollectorOptions;
  #hiddenMs: number | null = null;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  /** What is to be done now: the first step on a new day, the second when its time has come. */
  async tend(isNewDay: boolean): Promise<void> {
    const hiddenMs = this.#hiddenMs;
    const isDue = hiddenMs === null ? isNewDay : performance.now() - hiddenMs >= GRACE_MS;
    if (isDue) await this.step();
  }

  /** The step that is next. */
  async step(): Promise<void> {
    const { maintenance, repair, loaded } = this.#options;
    await loaded;
    await withoutDamaged(repair, (read) =>
      maintenance.run((signal) =>
        this.#hiddenMs === null ? this.#hide(signal, read) : this.#remove(signal, read),
      ),
    );
  }

  async #hide(signal: AbortSignal, read: Set<Block>): Promise<void> {
    const { place, dictionaries, writer } = this.#options;
    const used = await changeBlocks(place, signal, async (change) =>
      (await areRowsRemoved(change)) ? readUsed(change, read) : null,
    );
    if (used === null) return;
    for (const table of ['stacks', 'locations', 'functions'] as const) {
      await markUsed(dictionaries, table, used);
      signal.throwIfAborted();
    }
    const found = await this.#countFound(used);
    const stored = rowsIn(place.lists.current.blocks);
    if (stored - found.kept < stored * MIN_SHARE) {
      await changeBlocks(place, signal, (change) => forgetRemovedRows(change));
      return;
    }
    await writer.alone(() => inTurns(dictionaries.hide(used, found.unused)));
    this.#hiddenMs = performance.now();
  }

  /** Rows in files that are used; and by table, those that can be found and are not. */
  async #countFound(
    used: UsedRefs,
  ): Promise<{ kept: number; unused: Record<DictionaryTable, number> }> {
    let kept = 0;
    const unused = { strings: 0, functions: 0, locations: 0, stacks: 0 };
    for (const table of DICTIONARY_TABLES) {
      const members = used[table];
      await eachRef(this.#options.dictionaries[table].index, (ref) => {
        if (!members.has(ref)) unused[table]++;
        else if (ref < members.end) kept++;
      });
    }
    return { kept, unused };
  }

  async #remove(signal: AbortSignal, read: Set<Block>): Promise<void> {
    const { place, writer, nowMs } = this.#options;
    await writer.drained();
    const used = await changeBlocks(place, signal, (change) => readUsed(change, read));
    const kept = await writer.alone(() => this.#settle(used));
    this.#hiddenMs = null;
    const removed = await changeBlocks(place, signal, async (change) => {
      let rows = 0;
      for (const run of dictionaryRuns(change.blocks)) {
        for (const block of run) change.drop(block);
        const merged = await mergeDictionaries(change, run, nowMs(), (table, first) =>
          kept[table].sql(first),
        );
        rows += rowsIn(run) - rowsIn([merged]);
      }
      // Rows that were removed since the first step are looked for in the next one.
      return rows;
    });
    this.stats.dictionaryRowsRemoved += removed;
  }

  /** Forgets what is not used, each table after those that refer to it; returns the rest. */
  async #settle(used: UsedRefs): Promise<UsedRefs> {
    const { dictionaries } = this.#options;
    const kept = emptyRefs({
      strings: used.strings.end,
      functions: used.functions.end,
      locations: used.locations.end,
      stacks: used.stacks.end,
    });
    for (const table of ['stacks', 'locations', 'functions', 'strings'] as const) {
      const { index } = dictionaries[table];
      await inTurns(index.settleHidden(used[table]));
      await eachRef(index, (ref) => {
        used[table].add(ref);
        kept[table].add(ref);
      });
      if (table !== 'strings') await markUsed(dictionaries, table, used);
    }
    return kept;
  }
}

/** What stored samples use of stacks, and what stays in any case; `read`: blocks that are read. */
async function readUsed(change: BlockChange, read: Set<Block>): Promise<UsedRefs> {
  const ends = { strings: 0, functions: 0, locations: 0, stacks: 0 };
  for (const table of DICTIONARY_TABLES) {
    ends[table] = Math.max(0, ...change.blocks.map((block) => fileOf(block, table)?.ids?.[1] ?? 0));
  }
  const used = emptyRefs(ends);
  keepEnds(change.blocks, used);
  const add = (rows: ResultColumns): void => {
    for (const ref of rows.u32(0)) used.stacks.add(ref);
  };
  for (const block of change.blocks) {
    const file = block.damaged === '' ? fileOf(block, 'samples') : undefined;
    if (file === undefined) continue;
    read.add(block);
    await change.eachChunk(`SELECT DISTINCT stack FROM ${fileRows(change, [file])}`, add);
  }
  await change.eachChunk('SELECT DISTINCT stack FROM samples', add);
  return used;
}

/**
 * The last row of a file stays, so that no number is given again; and so do the rows of a damaged
 * block, whose files are not written anew.
 */
function keepEnds(blocks: readonly Block[], used: UsedRefs): void {
  for (const block of blocks) {
    for (const table of DICTIONARY_TABLES) {
      const [first, end] = fileOf(block, table)?.ids ?? [0, 0];
      used[table].addRange(block.damaged === '' ? Math.max(first, end - 1) : first, end);
    }
  }
}

/** Rows of dictionaries in files. */
function rowsIn(blocks: readonly Block[]): number {
  const files = blocks.flatMap(({ kind, files }) => (kind === 'dictionary' ? files : []));
  return files.reduce((sum, { rows, lost }) => sum + (lost === true ? 0 : rows), 0);
}

async function inTurns(steps: Generator<void>): Promise<void> {
  const turn = new Turn();
  while (steps.next().done !== true) if (turn.isOver()) await turn.next();
}
