/** Rows into the bytes of an answer, up to a number of bytes. */
import { ArrowStream } from './arrow-stream.ts';
import { type Column, typeName } from './column-type.ts';
import type { Reader, Value } from './column-values.ts';
import type { SqlFormat, SqlTail } from './sandbox-job.ts';
import { csvHead, csvRow, toJson } from './value-text.ts';

export interface AnswerWriter {
  readonly columns: readonly Column[];
  readonly rows: number;
  /** Takes the first `count` rows of some columns; returns how many there was room for. */
  add(columns: readonly Reader[], count: number): number;
  /** All bytes. Nothing is added after it. */
  end(done: SqlTail): Uint8Array[];
}

/** `maxBytes`: of rows; what stands around them comes on top. */
export function createAnswerWriter(
  format: SqlFormat,
  columns: readonly Column[],
  maxBytes: number,
): AnswerWriter {
  switch (format) {
    case 'json':
      return new TextAnswer(columns, maxBytes, JSON_TEXT);
    case 'csv':
      return new TextAnswer(columns, maxBytes, CSV_TEXT);
    case 'arrow':
      return new ArrowStream(columns, maxBytes);
  }
}

interface TextForm {
  head(columns: readonly Column[]): string;
  row(values: readonly Value[], columns: readonly Column[], index: number): string;
  tail(done: SqlTail): string;
}

const CSV_TEXT: TextForm = { head: csvHead, row: csvRow, tail: () => '' };

const JSON_TEXT: TextForm = {
  head: (columns) => {
    const heads = columns.map(({ name, type }) => ({ name, type: typeName(type) }));
    return `{"columns":${JSON.stringify(heads)},"rows":[`;
  },
  row: (values, columns, index) => {
    const items = values.map((value, at) => toJson(value, columns[at]?.type ?? { kind: 'null' }));
    return `${index === 0 ? '' : ','}\n[${items.join(',')}]`;
  },
  tail: ({ truncated, damaged, hotAgeMs, elapsedMs }) => {
    const rest = { truncated, damaged, hot_age_ms: hotAgeMs, elapsed_ms: elapsedMs };
    return `\n],${JSON.stringify(rest).slice(1)}\n`;
  },
};

class TextAnswer implements AnswerWriter {
  readonly columns: readonly Column[];
  rows = 0;
  readonly #form: TextForm;
  readonly #chunks: Uint8Array[];
  #bytesLeft: number;

  constructor(columns: readonly Column[], maxBytes: number, form: TextForm) {
    this.columns = columns;
    this.#form = form;
    this.#chunks = [Buffer.from(form.head(columns))];
    this.#bytesLeft = maxBytes;
  }

  add(columns: readonly Reader[], count: number): number {
    const texts: string[] = [];
    let taken = 0;
    for (; taken < count; taken++) {
      const values = columns.map((read) => read(taken));
      const text = this.#form.row(values, this.columns, this.rows);
      const bytes = Buffer.byteLength(text);
      if (bytes > this.#bytesLeft) break;
      this.#bytesLeft -= bytes;
      texts.push(text);
      this.rows++;
    }
    this.#chunks.push(Buffer.from(texts.join('')));
    return taken;
  }

  end(done: SqlTail): Uint8Array[] {
    return [...this.#chunks, Buffer.from(this.#form.tail(done))];
  }
}
