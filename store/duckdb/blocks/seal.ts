/**
 * Sealing: hot rows become blocks, one for each UTC day they touch, and the dictionary rows that
 * are new since the last time become files too, all in one transaction. Rows that are written
 * meanwhile are not in its snapshot and stay hot.
 */
import { join } from 'node:path';
import { missingBefore, ONE_PER_WINDOW, REPLACES } from '../schema.ts';
import { parquetRows } from '../sql/parquet-source.ts';
import {
  type Block,
  type BlockFile,
  DICTIONARY_TABLES,
  HOUR_MS,
  ROW_TABLES,
  type RowTable,
} from './block.ts';
import { type BlockChange, type BlockPlace, changeBlocks } from './block-change.ts';

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
    const seal = new Seal(change, place.database.dataDir, nowMs);
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
  readonly #dataDir: string;
  readonly #nowMs: number;

  constructor(change: BlockChange, dataDir: string, nowMs: number) {
    this.#change = change;
    this.#dataDir = dataDir;
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
    await this.#forgetReplacedWindows();
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

  async #sealSpan(span: Span): Promise<void> {
    const id = this.#change.newId();
    const inSpan = `ts_ms >= ${span.fromMs} AND ts_ms < ${span.toMs}`;
    const rows: Record<RowTable, number> = { samples: 0, profiles: 0, windows: 0 };
    const files: BlockFile[] = [];
    for (const table of ROW_TABLES) {
      const file = await this.#change.copy(id, table, SELECTS[table](inSpan));
      const moved = await this.#change.count(`DELETE FROM ${table} WHERE ${inSpan}`);
      if (table === 'samples') this.result.samples += moved;
      if (table === 'profiles') this.result.mergedProfiles += moved - (file?.rows ?? 0);
      if (file === null) continue;
      rows[table] = file.rows;
      files.push(file);
      if (table === 'profiles') await this.#insertActivity(id, file);
      if (table === 'windows') await this.#insertAgentActivity(id, file);
    }
    if (files.length === 0) return;
    this.#add({ id, kind: 'rows', ...(await this.#timesOf(files)), ...rows, files });
  }

  #add(block: Omit<Block, 'level' | 'sealedMs' | 'damaged'>): void {
    this.#change.add({ ...block, level: 0, sealedMs: this.#nowMs, damaged: '' });
    this.result.blocks++;
    this.result.bytes += block.files.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  #source({ name }: BlockFile): string {
    return parquetRows([join(this.#dataDir, name)]);
  }

  async #timesOf(files: readonly BlockFile[]): Promise<Span> {
    const times = files.map((file) => `SELECT ts_ms FROM ${this.#source(file)}`);
    const rows = await this.#change.query(
      `SELECT min(ts_ms)::DOUBLE, max(ts_ms + 1)::DOUBLE FROM (${times.join(' UNION ALL ')})`,
    );
    return { fromMs: rows.f64(0)[0] as number, toMs: rows.f64(1)[0] as number };
  }

  async #insertActivity(id: number, file: BlockFile): Promise<void> {
    await this.#change.query(
      `INSERT INTO activity SELECT ${id}, series, types, min(ts_ms), max(ts_ms + span_ms), count(*)
       FROM ${this.#source(file)} GROUP BY series, types`,
    );
  }

  async #insertAgentActivity(id: number, file: BlockFile): Promise<void> {
    const source = this.#source(file);
    await this.#change.query(
      `INSERT INTO agent_activity
       SELECT ${id}, agent, min(ts_ms), max(ts_ms + length_ms), first(seq ORDER BY ts_ms, seq),
         last(seq ORDER BY ts_ms, seq), count(*), sum(length_ms), sum(frequency * length_ms),
         sum(missing)
       FROM (SELECT w.*, ${missingBefore('w.seq')} AS missing FROM ${source} w WHERE ${ONE_PER_WINDOW})
       GROUP BY agent`,
    );
    await this.#change.query(
      `INSERT INTO agent_counters
       SELECT ${id}, agent, counter, sum(value) FROM ${source} GROUP BY agent, counter`,
    );
  }

  /** Those whose earlier reports are gone: hot rows and blocks hold none of them. */
  async #forgetReplacedWindows(): Promise<void> {
    const { blocks, added } = this.#change;
    const files = [...blocks, ...added].flatMap((block) =>
      block.damaged === '' ? block.files.filter(({ name }) => name.includes('.windows.')) : [],
    );
    const rows = await this.#change.query('SELECT count(*)::DOUBLE FROM replaced_windows');
    if (rows.f64(0)[0] === 0) return;
    const columns = 'agent, seq, ts_ms, report';
    const sources = ['windows', ...files.map((file) => this.#source(file))].map(
      (source) => `SELECT ${columns} FROM ${source} SEMI JOIN replaced_windows USING (ts_ms)`,
    );
    await this.#change.query(
      `DELETE FROM replaced_windows WHERE rowid NOT IN (
         SELECT r.rowid FROM replaced_windows r JOIN (${sources.join(' UNION ALL ')}) w
           ON ${REPLACES})`,
    );
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
      const file = await this.#change.copy(id, table, `SELECT * FROM ${table} ORDER BY id`);
      if (file === null) continue;
      await this.#change.query(`DELETE FROM ${table} WHERE id < ${end}`);
      files.push({ ...file, ids: [first, end] });
    }
    if (files.length === 0) return;
    const nothing = { fromMs: 0, toMs: 0, samples: 0, profiles: 0, windows: 0 };
    this.#add({ id, kind: 'dictionary', ...nothing, files });
  }
}

/** What a block's files hold, in which order; `inSpan` is a condition on ts_ms. */
const SELECTS: Record<RowTable, (inSpan: string) => string> = {
  samples: (inSpan) =>
    `SELECT * FROM samples WHERE ${inSpan}
     ORDER BY type, service, ts_ms // ${HOUR_MS}, series, ts_ms, stack`,
  profiles: (inSpan) =>
    `SELECT series, ts_ms, max(duration_ms) AS duration_ms, max(span_ms) AS span_ms, types,
       max(agent) AS agent, arg_max(seq, agent) AS seq,
       coalesce(string_agg(comments, chr(10)) FILTER (comments <> ''), '') AS comments
     FROM profiles WHERE ${inSpan} GROUP BY series, ts_ms, types
     ORDER BY ts_ms // ${HOUR_MS}, series, ts_ms`,
  windows: (inSpan) =>
    `SELECT w.* FROM windows w ANTI JOIN replaced_windows r ON ${REPLACES}
     WHERE ${inSpan.replaceAll('ts_ms', 'w.ts_ms')} ORDER BY w.counter, w.agent, w.ts_ms`,
};
