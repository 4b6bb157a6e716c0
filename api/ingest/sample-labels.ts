/**
 * Labels of single samples (trace ids, request ids, numbers with units) as sets, each once per
 * batch. Over a limit a sample keeps its value and loses its set, which is counted.
 */

import {
  MAX_LABEL_VALUE_BYTES,
  MAX_LABELS_PER_SAMPLE,
  MAX_LABELSET_BYTES_PER_REQUEST,
  MAX_LABELSETS_PER_PROFILE,
} from '../../profile/limits.ts';
import type { PprofColumns } from '../../profile/pprof/columns.ts';
import { type HashState, hashText, type IdKey, IdTag, startHash } from '../../profile/siphash.ts';
import type { SampleLabel } from '../../store/store.ts';
import type { ColumnBlock } from './column-block.ts';
import { GrowingWords } from './growing-words.ts';

const EMPTY_SET = 0;

export class SampleLabels {
  readonly #hash: HashState;
  #sets: SampleLabel[][] = [];
  readonly #ids = new GrowingWords();
  /** Canonical text -> row. */
  readonly #rows = new Map<string, number>();
  /** The label columns' rows of one profile as text -> row; spares building what came before. */
  readonly #seen = new Map<string, number>();
  #bytes = 0;
  #setsOfProfile = 0;
  /** Samples whose set was dropped. */
  dropped = 0;

  constructor(key: IdKey) {
    this.#hash = startHash(key, IdTag.labelset);
  }

  begin(): void {
    this.#sets = [];
    this.#ids.clear();
    this.#rows.clear();
    this.#bytes = 0;
    this.dropped = 0;
    this.#add([], '[]');
  }

  beginProfile(): void {
    this.#seen.clear();
    this.#setsOfProfile = 0;
  }

  /** The row of a sample's set. */
  rowOf(columns: PprofColumns, sample: number): number {
    const first = columns.samples.label[sample] as number;
    const end = columns.samples.label[sample + 1] as number;
    if (first === end) return EMPTY_SET;
    const row = end - first > MAX_LABELS_PER_SAMPLE ? null : this.#row(columns, first, end);
    if (row === null) this.dropped++;
    return row ?? EMPTY_SET;
  }

  /** Bytes of the one column. */
  get byteLength(): number {
    return this.#ids.length * 4;
  }

  finish(block: ColumnBlock): { labelsets: SampleLabel[][]; labelsetIds: Int32Array<ArrayBuffer> } {
    return { labelsets: this.#sets, labelsetIds: this.#ids.signed(block) };
  }

  #row(columns: PprofColumns, first: number, end: number): number | null {
    const { key, text, number, unit } = columns.labels;
    let columnText = '';
    for (let i = first; i < end; i++) {
      columnText += `${key[i]},${text[i]},${number[i * 2]},${number[i * 2 + 1]},${unit[i]};`;
    }
    const seen = this.#seen.get(columnText);
    if (seen !== undefined) return seen;
    const labels = readLabels(columns, first, end);
    if (labels === null) return null;
    const canonical = `[${labels.map(([json]) => json).join(',')}]`;
    let row = this.#rows.get(canonical);
    if (row === undefined) {
      const isOver = this.#bytes + canonical.length > MAX_LABELSET_BYTES_PER_REQUEST;
      if (isOver || this.#setsOfProfile >= MAX_LABELSETS_PER_PROFILE) return null;
      this.#setsOfProfile++;
      row = this.#add(
        labels.map(([, label]) => label),
        canonical,
      );
    }
    this.#seen.set(columnText, row);
    return row;
  }

  #add(labels: SampleLabel[], canonical: string): number {
    const row = this.#sets.length;
    this.#sets.push(labels);
    this.#rows.set(canonical, row);
    this.#bytes += canonical.length;
    for (const word of hashText(this.#hash, canonical)) this.#ids.push(word);
    return row;
  }
}

/** A label with its canonical JSON text (docs/formats.md section 1.2). */
type CanonicalLabel = [json: string, label: SampleLabel];

/** Sorted and each once; null where a value is too long. */
function readLabels(columns: PprofColumns, first: number, end: number): CanonicalLabel[] | null {
  const labels = new Map<string, SampleLabel>();
  for (let i = first; i < end; i++) {
    const { key: keys, text: texts, number: numbers, unit: units } = columns.labels;
    const key = columns.textAt(keys[i] as number);
    const text = texts[i] as number;
    if ((columns.texts.length[text] as number) > MAX_LABEL_VALUE_BYTES) return null;
    if (key.length > MAX_LABEL_VALUE_BYTES) return null;
    if (text !== 0) {
      const value = columns.textAt(text);
      labels.set(JSON.stringify([key, value]), { key, value });
      continue;
    }
    const high = numbers[i * 2 + 1] as number;
    const number = ((BigInt(high) << 32n) | BigInt((numbers[i * 2] as number) >>> 0)).toString();
    const unit = columns.textAt(units[i] as number);
    const isExact = Number.isSafeInteger(Number(number));
    const json = JSON.stringify([key, isExact ? Number(number) : number, unit]);
    labels.set(json, { key, number, unit });
  }
  return [...labels].sort(
    ([jsonA, a], [jsonB, b]) => compare(a.key, b.key) || compare(jsonA, jsonB),
  );
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
