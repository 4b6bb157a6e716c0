/**
 * Sealing: hot rows become blocks, one for each UTC day they touch, and the dictionary rows that
 * are new since the last time become files too, all in one transaction. Rows that are written
 * meanwhile are not in its snapshot and stay hot.
 */
import {
  type Block,
  type BlockFile,
  blockBytes,
  DICTIONARY_TABLES,
  HOUR_MS,
  ROW_TABLES,
} from './block.ts';
import { type BlockChange, type BlockPlace, changeBlocks } from './block-change.ts';
import { dictionaryRows } from './dictionary-file.ts';
import { forgetReplacedWindows, writeRowBlock } from './row-block.ts';

const DAY_MS = 24 * HOUR_MS;
/** Old data of more days than these makes blocks of several days. */
const MAX_BLOCKS_PER_SEAL = 32;

/** Which rows: those before a time, or the oldest ones, at least half. */
export type SealRequest = { beforeMs: number } | 'oldest-half';

export interface SealResult {
  blocks: number;
  /** Hot rows that moved. */
  samples: number;
  /** Rows of profiles that met others and are one row with them now. */
  mergedProfiles: number;
  bytes: number;
}

export function sealRows(
  place: BlockPlace,
  request: SealRequest,
  nowMs: number,
  signal: AbortSignal,
): Promise<SealResult> {
  return changeBlocks(place, signal, async (change) => {
    const seal = new Seal(change, nowMs);
    const beforeMs = request === 'oldest-half' ? await seal.medianMs() : request.beforeMs;
    await seal.sealDays(beforeMs);
    await seal.sealDictionaries();
    return seal.result;
  });
}

interface Span {
  fromMs: number;
  /** Exclusive. */
  toMs: number;
}

class Seal {
  readonly result: SealResult = { blocks: 0, samples: 0, mergedProfiles: 0, bytes: 0 };
  readonly #change: BlockChange;
  readonly #nowMs: number;

  constructor(change: BlockChange, nowMs: number) {
    this.#change = change;
    this.#nowMs = nowMs;
  }

  /** A time at or before which at least half of the rows of samples lie. */
  async medianMs(): Promise<number> {
    const rows = await this.#change.query(
      'SELECT coalesce(quantile_disc(ts_ms, 0.5) + 1, 0)::DOUBLE FROM samples',
    );
    return rows.f64(0)[0] ?? 0;
  }

  async sealDays(beforeMs: number): Promise<void> {
    await this.#change.query(
      `UPDATE meta SET value = (SELECT max(report + 1)::VARCHAR FROM windows)
       WHERE name = 'next_report' AND value::BIGINT <= (SELECT max(report) FROM windows)`,
    );
    for (const { fromMs, toMs } of await this.#spans(beforeMs)) {
      await this.#sealSpan({ fromMs, toMs: Math.min(toMs, beforeMs) });
    }
    await forgetReplacedWindows(this.#change);
  }

  async #spans(beforeMs: number): Promise<Span[]> {
    const times = ROW_TABLES.map(
      (table) =>
        `SELECT DISTINCT ts_ms // ${DAY_MS} AS day FROM ${table} WHERE ts_ms < ${beforeMs}`,
    );
    const rows = await this.#change.query(
      `SELECT DISTINCT day::DOUBLE FROM (${times.join(' UNION ALL ')}) ORDER BY 1`,
    );
    const days = rows.f64(0);
    const perBlock = Math.ceil(days.length / MAX_BLOCKS_PER_SEAL);
    const spans: Span[] = [];
    for (let at = 0; at < days.length; at += perBlock) {
      const last = days[Math.min(at + perBlock, days.length) - 1] as number;
      spans.push({ fromMs: (days[at] as number) * DAY_MS, toMs: (last + 1) * DAY_MS });
    }
    return spans;
  }

  async #sealSpan({ fromMs, toMs }: Span): Promise<void> {
    const inSpan = `ts_ms >= ${fromMs} AND ts_ms < ${toMs}`;
    const block = await writeRowBlock(this.#change, {
      source: (table) => table,
      where: () => inSpan,
      level: 0,
      nowMs: this.#nowMs,
    });
    for (const table of ROW_TABLES) {
      const moved = await this.#change.count(`DELETE FROM ${table} WHERE ${inSpan}`);
      if (table === 'samples') this.result.samples += moved;
      if (table === 'profiles') this.result.mergedProfiles += moved - (block?.profiles ?? 0);
    }
    if (block !== null) this.#countIn(block);
  }

  #countIn(block: Block): void {
    this.result.blocks++;
    this.result.bytes += blockBytes(block);
  }

  async sealDictionaries(): Promise<void> {
    const id = this.#change.newId();
    const files: BlockFile[] = [];
    for (const table of DICTIONARY_TABLES) {
      const rows = await this.#change.query(
        `SELECT coalesce(min(id), 0), coalesce(max(id) + 1, 0)::UINTEGER FROM ${table}`,
      );
      const [first, end] = [rows.u32(0)[0] ?? 0, rows.u32(1)[0] ?? 0];
      if (end === 0) continue;
      const file = await this.#change.copy(id, table, dictionaryRows(table, table));
      if (file === null) continue;
      await this.#change.query(`DELETE FROM ${table} WHERE id < ${end}`);
      files.push({ ...file, ids: [first, end] });
    }
    if (files.length === 0) return;
    const nothing = { fromMs: 0, toMs: 0, samples: 0, profiles: 0, windows: 0 };
    const sealedMs = this.#nowMs;
    const block: Block = {
      ...{ id, kind: 'dictionary', level: 0, sealedMs, damaged: '' },
      ...nothing,
      files,
    };
    this.#change.add(block);
    this.#countIn(block);
  }
}
