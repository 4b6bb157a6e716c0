/** The second pass over a decoded pprof: ids become rows, and every reference is checked. */
import { EverflameError } from '../errors.ts';
import type { PprofColumns } from './columns.ts';

/** Replaces the ids in `columns` by rows (-1: none). Throws `invalid` or `unprocessable`. */
export function resolvePprofIds(columns: PprofColumns): void {
  checkTexts(columns);
  const { mappings, functions, locations, lines, samples, stackLocations } = columns;
  const mappingRow = new RowIndex('mapping', mappings.id, mappings.count);
  for (let i = 0; i < locations.count; i++) {
    const id = (locations.mapping[i] as number) >>> 0;
    const row = id === 0 ? -1 : mappingRow.get(id);
    if (row === ABSENT) unknownId(`location[${i}].mapping_id`, 'mapping');
    locations.mapping[i] = row;
  }
  const functionRow = new RowIndex('function', functions.id, functions.count);
  for (let i = 0; i < lines.count; i++) {
    const id = (lines.function[i] as number) >>> 0;
    const row = id === 0 ? -1 : functionRow.get(id);
    if (row === ABSENT) unknownId(`${lineField(columns, i)}.function_id`, 'function');
    lines.function[i] = row;
  }
  const locationRow = new RowIndex('location', locations.id, locations.count);
  const { location } = stackLocations;
  for (let i = 0; i < stackLocations.count; i++) {
    const row = locationRow.get(location[i] as number);
    if (row === ABSENT) {
      const [sample, entry] = ownerOf(samples.stack, samples.count, i);
      unknownId(`sample[${sample}].location_id[${entry}]`, 'location');
    }
    location[i] = row;
  }
  checkValues(columns);
}

const ABSENT = -2;

/** Id -> row: an array where ids are dense, as nearly all writers number them, else a map. */
class RowIndex {
  readonly #rows: Int32Array;
  readonly #sparse: Map<number, number> | null;

  constructor(table: string, ids: Uint32Array, count: number) {
    let max = 0;
    for (let i = 0; i < count; i++) max = Math.max(max, ids[i] as number);
    const dense = max <= count * 2 + 64;
    this.#sparse = dense ? null : new Map();
    this.#rows = new Int32Array(dense ? max + 1 : 0).fill(ABSENT);
    for (let i = 0; i < count; i++) {
      const id = ids[i] as number;
      if (id === 0) badId(`${table}[${i}].id`, 'is 0, which pprof reserves for "none"');
      if (this.get(id) !== ABSENT) badId(`${table}[${i}].id`, 'is used by another row too');
      if (this.#sparse === null) this.#rows[id] = i;
      else this.#sparse.set(id, i);
    }
  }

  get(id: number): number {
    if (this.#sparse !== null) return this.#sparse.get(id) ?? ABSENT;
    return id < this.#rows.length ? (this.#rows[id] as number) : ABSENT;
  }
}

function badId(field: string, what: string): never {
  throw new EverflameError('invalid', `${field} ${what}`, { field });
}

function unknownId(field: string, table: string): never {
  throw new EverflameError('invalid', `${field} names a ${table} that the profile does not have`, {
    field,
  });
}

/** The row of a ragged column that entry `i` belongs to, and the entry's place in it. */
function ownerOf(offsets: Uint32Array, count: number, i: number): [row: number, entry: number] {
  let row = 0;
  while (row + 1 < count && (offsets[row + 1] as number) <= i) row++;
  return [row, i - (offsets[row] as number)];
}

function lineField(columns: PprofColumns, line: number): string {
  const { lines, count } = columns.locations;
  const [row, entry] = ownerOf(lines, count, line);
  return `location[${row}].line[${entry}]`;
}

function checkTexts(columns: PprofColumns): void {
  const { texts, mappings, functions, labels } = columns;
  if (texts.count === 0 || texts.length[0] !== 0) {
    throw new EverflameError('invalid', 'string_table[0] is not the empty string', {
      field: 'string_table[0]',
      remedy: 'Send a pprof; its string table begins with an empty string.',
    });
  }
  checkRefs(texts.count, mappings.file, mappings.count, 'mapping', 'filename');
  checkRefs(texts.count, mappings.buildId, mappings.count, 'mapping', 'build_id');
  checkRefs(texts.count, functions.name, functions.count, 'function', 'name');
  checkRefs(texts.count, functions.systemName, functions.count, 'function', 'system_name');
  checkRefs(texts.count, functions.file, functions.count, 'function', 'filename');
  checkRefs(texts.count, labels.key, labels.count, 'label', 'key');
  checkRefs(texts.count, labels.text, labels.count, 'label', 'str');
  checkRefs(texts.count, labels.unit, labels.count, 'label', 'num_unit');
  checkHeaderTexts(columns);
}

/** The texts that the profile itself refers to, rather than one of its rows. */
export function checkHeaderTexts(columns: PprofColumns): void {
  const { texts } = columns;
  for (const [i, { type, unit }] of columns.sampleTypes.entries()) {
    checkRef(texts.count, type, `sample_type[${i}].type`);
    checkRef(texts.count, unit, `sample_type[${i}].unit`);
  }
  checkRef(texts.count, columns.periodType?.type ?? 0, 'period_type.type');
  checkRef(texts.count, columns.periodType?.unit ?? 0, 'period_type.unit');
  for (const [i, row] of columns.comments.entries()) checkRef(texts.count, row, `comment[${i}]`);
  checkRef(texts.count, columns.defaultSampleType, 'default_sample_type');
  checkRef(texts.count, columns.docUrl, 'doc_url');
}

function checkRefs(
  texts: number,
  column: Uint32Array,
  count: number,
  table: string,
  name: string,
): void {
  for (let i = 0; i < count; i++) {
    if ((column[i] as number) >= texts) checkRef(texts, Infinity, `${table}[${i}].${name}`);
  }
}

function checkRef(texts: number, row: number, field: string): void {
  if (row >= 0 && row < texts) return;
  throw new EverflameError('invalid', `${field} is beyond the ${texts} strings of the profile`, {
    field,
  });
}

/** From this upper half on, a value is 2^53 or more: no sum with it in it can be stated. */
const TOO_HIGH = 2 ** 21;

/** Each sample has one value per sample type, none negative or beyond what can be added up. */
function checkValues(columns: PprofColumns): void {
  const { samples, values, sampleTypes } = columns;
  const width = sampleTypes.length;
  for (let i = 0; i < samples.count; i++) {
    const count = (samples.value[i + 1] as number) - (samples.value[i] as number);
    if (count !== width || width === 0) {
      const field = `sample[${i}].value`;
      throw new EverflameError('invalid', `${field} has ${count} values for ${width} types`, {
        field,
      });
    }
  }
  for (let i = 0; i < values.count; i++) {
    const high = values.value[i * 2 + 1] as number;
    if (high >= 0 && high < TOO_HIGH) continue;
    const field = `sample[${Math.floor(i / width)}].value[${i % width}]`;
    if (high > 0) {
      throw new EverflameError('unprocessable', `${field} is too high to be added to others`, {
        field,
        limit: `MAX_SAFE_INTEGER = ${Number.MAX_SAFE_INTEGER}`,
        remedy: 'Send it in a coarser unit.',
      });
    }
    throw new EverflameError('unprocessable', `${field} is negative`, {
      field,
      remedy: 'Send what happened in the time of the profile, not a difference of two profiles.',
    });
  }
}
