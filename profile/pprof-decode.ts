/**
 * pprof (github.com/google/pprof, proto/profile.proto) -> columns, in one pass over the bytes and
 * one over the rows. Strict about structure and bounds; what real writers leave out is accepted:
 * no mappings, locations without lines, lines without a function, ids in any order and any size.
 */
import { EverflameError } from './errors.ts';
import {
  MAX_COMMENTS_PER_PROFILE,
  MAX_FUNCTIONS_PER_PROFILE,
  MAX_LABELS_PER_PROFILE,
  MAX_LINES_PER_LOCATION,
  MAX_LINES_PER_PROFILE,
  MAX_LOCATIONS_PER_PROFILE,
  MAX_MAPPINGS_PER_PROFILE,
  MAX_SAMPLE_TYPES,
  MAX_SAMPLES_PER_PROFILE,
  MAX_STACK_DEPTH,
  MAX_STACK_ENTRIES_PER_PROFILE,
  MAX_STRING_BYTES,
  MAX_STRINGS_PER_PROFILE,
  MAX_VALUES_PER_PROFILE,
} from './limits.ts';
import { growTable, type PprofColumns } from './pprof-columns.ts';
import { resolvePprofIds } from './pprof-ids.ts';
import { WireReader, WireType } from './protobuf.ts';

const { varint: VARINT, bytes: BYTES } = WireType;

/** Field numbers of profile.proto's Profile that hold rows, and the names errors call them by. */
const ROW_FIELDS = new Map([
  [1, 'sample_type'],
  [2, 'sample'],
  [3, 'mapping'],
  [4, 'location'],
  [5, 'function'],
  [6, 'string_table'],
]);

/**
 * Ids from here on are interned: the k-th distinct one becomes FIRST_WIDE_ID + k, so that ids of
 * 64 bits fit the columns and no two ids meet.
 */
const FIRST_WIDE_ID = 2 ** 31;

export class PprofDecoder {
  readonly #reader = new WireReader();
  readonly #columns: PprofColumns;
  readonly #wideIds = new Map<bigint, number>();

  constructor(columns: PprofColumns) {
    this.#columns = columns;
  }

  /** Fills the columns; they are the caller's until the next call. Throws an EverflameError. */
  decode(bytes: Uint8Array): void {
    const reader = this.#reader;
    this.#columns.reset(bytes);
    this.#wideIds.clear();
    reader.reset(bytes);
    if (bytes.length === 0) throw new EverflameError('invalid', 'the profile is empty');
    let field = 0;
    try {
      while (reader.pos < bytes.length) {
        const tag = reader.varint();
        field = tag >>> 3;
        this.#field(field, tag & 7, bytes.length);
      }
      reader.checkEnd(bytes.length);
    } catch (error) {
      throw this.#located(error, field);
    }
    this.#closeRows();
    resolvePprofIds(this.#columns);
  }

  /** An error of the wire format, with the row it was met in. */
  #located(error: unknown, field: number): unknown {
    const name = ROW_FIELDS.get(field);
    if (!(error instanceof EverflameError) || error.field !== undefined || !name) return error;
    const { kind, message, position, limit, remedy } = error;
    return new EverflameError(kind, message, {
      field: `${name}[${this.#rowCount(field)}]`,
      ...(position === undefined ? {} : { position }),
      ...(limit === undefined ? {} : { limit }),
      ...(remedy === undefined ? {} : { remedy }),
    });
  }

  #rowCount(field: number): number {
    const { sampleTypes, samples, mappings, locations, functions, texts } = this.#columns;
    const counts = [sampleTypes.length, samples, mappings, locations, functions, texts];
    const table = counts[field - 1];
    return typeof table === 'number' ? table : (table?.count ?? 0);
  }

  #field(field: number, wireType: number, limit: number): void {
    const reader = this.#reader;
    const columns = this.#columns;
    if (field >= 1 && field <= 6) {
      this.#expect(wireType, BYTES);
      this.#row(field, reader.end(limit));
    } else if (field >= 7 && field <= 15 && field !== 11 && field !== 13) {
      this.#expect(wireType, VARINT);
      this.#scalar(field);
    } else if (field === 11) {
      this.#expect(wireType, BYTES);
      columns.periodType = this.#valueType(reader.end(limit));
    } else if (field === 13) {
      this.#comments(wireType, limit);
    } else if (field === 0) {
      reader.fail('field number 0 is not allowed');
    } else {
      reader.skip(wireType, limit);
    }
  }

  #row(field: number, end: number): void {
    const columns = this.#columns;
    const reader = this.#reader;
    if (field === 6) this.#text(end);
    else if (field === 4) this.#location(end);
    else if (field === 5) this.#function(end);
    else if (field === 2) this.#sample(end);
    else if (field === 3) this.#mapping(end);
    else {
      if (columns.sampleTypes.length >= MAX_SAMPLE_TYPES) tooMany({ MAX_SAMPLE_TYPES });
      columns.sampleTypes.push(this.#valueType(end));
    }
    if (reader.pos !== end) reader.fail('a field runs over the end of its message');
  }

  #expect(wireType: number, expected: number): void {
    if (wireType === expected) return;
    this.#reader.fail(`wire type ${wireType} stands where ${expected} is expected`);
  }

  /** drop_frames and keep_frames (7, 8) tell pprof's own tools what to hide; nothing is hidden here. */
  #scalar(field: number): void {
    const columns = this.#columns;
    const reader = this.#reader;
    reader.varint64();
    const value = (BigInt(reader.high) << 32n) | BigInt(reader.low >>> 0);
    if (field === 9) columns.timeNanos = value;
    else if (field === 10) columns.durationNanos = value;
    else if (field === 12) columns.period = value;
    else if (field === 14) columns.defaultSampleType = Number(BigInt.asUintN(64, value));
    else if (field === 15) columns.docUrl = Number(BigInt.asUintN(64, value));
  }

  #valueType(end: number): { type: number; unit: number } {
    const reader = this.#reader;
    const row = { type: 0, unit: 0 };
    while (reader.pos < end) {
      const tag = reader.varint();
      if (tag === 8) row.type = reader.varint();
      else if (tag === 16) row.unit = reader.varint();
      else this.#unknown(tag, 2, end);
    }
    reader.checkEnd(end);
    return row;
  }

  #comments(wireType: number, limit: number): void {
    const reader = this.#reader;
    const { comments } = this.#columns;
    const end = wireType === BYTES ? reader.end(limit) : reader.pos + 1;
    if (wireType !== BYTES) this.#expect(wireType, VARINT);
    while (reader.pos < end) {
      if (comments.length >= MAX_COMMENTS_PER_PROFILE) tooMany({ MAX_COMMENTS_PER_PROFILE });
      comments.push(reader.varint());
    }
    if (wireType === BYTES) reader.checkEnd(end);
  }

  #text(end: number): void {
    const { texts } = this.#columns;
    const reader = this.#reader;
    const row = texts.count;
    if (row >= MAX_STRINGS_PER_PROFILE) tooMany({ MAX_STRINGS_PER_PROFILE });
    if (end - reader.pos > MAX_STRING_BYTES) tooMany({ MAX_STRING_BYTES });
    if (row === texts.start.length) growTable(texts);
    texts.start[row] = reader.pos;
    texts.length[row] = end - reader.pos;
    texts.count = row + 1;
    reader.pos = end;
  }

  #mapping(end: number): void {
    const { mappings } = this.#columns;
    const reader = this.#reader;
    const row = mappings.count;
    if (row >= MAX_MAPPINGS_PER_PROFILE) tooMany({ MAX_MAPPINGS_PER_PROFILE });
    if (row === mappings.id.length) growTable(mappings);
    mappings.id[row] = 0;
    mappings.file[row] = 0;
    mappings.buildId[row] = 0;
    mappings.start.fill(0, row * 2, row * 2 + 2);
    mappings.offset.fill(0, row * 2, row * 2 + 2);
    while (reader.pos < end) {
      const tag = reader.varint();
      if (tag === 8) mappings.id[row] = this.#id();
      else if (tag === 16) this.#address(mappings.start, row);
      else if (tag === 32) this.#address(mappings.offset, row);
      else if (tag === 40) mappings.file[row] = reader.varint();
      else if (tag === 48) mappings.buildId[row] = reader.varint();
      else this.#unknown(tag, 10, end);
    }
    mappings.count = row + 1;
  }

  // Functions, locations and lines are most of a profile's fields, so their loops keep the
  // position in a local and read values of one or two bytes themselves. Reading past the input
  // gives undefined and a position beyond the end, which the caller refuses.

  #function(end: number): void {
    const { functions } = this.#columns;
    const reader = this.#reader;
    const { bytes } = reader;
    const row = functions.count;
    if (row >= MAX_FUNCTIONS_PER_PROFILE) tooMany({ MAX_FUNCTIONS_PER_PROFILE });
    if (row === functions.id.length) growTable(functions);
    let id = 0;
    let name = 0;
    let systemName = 0;
    let file = 0;
    let startLine = 0;
    let pos = reader.pos;
    while (pos < end) {
      const at = pos;
      const tag = bytes[pos++] as number;
      let value = bytes[pos++] as number;
      if (value > 127) {
        const byte = bytes[pos++] as number;
        value = (value & 127) | (byte << 7);
        if (!(byte < 128)) {
          value = reader.varintAt(at + 1);
          pos = reader.pos;
        }
      }
      if (tag === 8) id = value >= 0 ? value : this.#wideId();
      else if (tag === 16) name = value;
      else if (tag === 24) systemName = value;
      else if (tag === 32) file = value;
      else if (tag === 40) startLine = value >= 0 ? value : this.#wideLine();
      else pos = this.#unknownAt(at, 5, end);
    }
    reader.pos = pos;
    functions.id[row] = id;
    functions.name[row] = name;
    functions.systemName[row] = systemName;
    functions.file[row] = file;
    functions.startLine[row] = startLine;
    functions.count = row + 1;
  }

  #location(end: number): void {
    const { locations, lines } = this.#columns;
    const reader = this.#reader;
    const { bytes } = reader;
    const row = locations.count;
    if (row >= MAX_LOCATIONS_PER_PROFILE) tooMany({ MAX_LOCATIONS_PER_PROFILE });
    if (row + 1 >= locations.lines.length) growTable(locations);
    locations.lines[row] = lines.count;
    let id = 0;
    let mapping = 0;
    let folded = 0;
    let low = 0;
    let high = 0;
    let pos = reader.pos;
    while (pos < end) {
      const at = pos;
      const tag = bytes[pos++] as number;
      let value = bytes[pos++] as number;
      if (value > 127) {
        const byte = bytes[pos++] as number;
        value = (value & 127) | (byte << 7);
        if (!(byte < 128)) {
          value = reader.varintAt(at + 1);
          pos = reader.pos;
        }
      }
      if (tag === 34) {
        this.#lineRow(locations.lines[row] as number, pos, value >= 0 ? pos + value : end + 1, end);
        pos += value;
      } else if (tag === 8) id = value >= 0 ? value : this.#wideId();
      else if (tag === 16) mapping = value >= 0 ? value : this.#wideId();
      else if (tag === 24) {
        low = value >= 0 ? value : reader.low;
        high = value >= 0 ? 0 : reader.high;
      } else if (tag === 40) folded = value === 0 ? 0 : 1;
      else pos = this.#unknownAt(at, 5, end);
    }
    reader.pos = pos;
    locations.id[row] = id;
    locations.mapping[row] = mapping;
    locations.folded[row] = folded;
    locations.address[row * 2] = low;
    locations.address[row * 2 + 1] = high;
    locations.count = row + 1;
  }

  #lineRow(firstLine: number, start: number, end: number, limit: number): void {
    const { lines } = this.#columns;
    const reader = this.#reader;
    const { bytes } = reader;
    const row = lines.count;
    reader.pos = start;
    if (end > limit) reader.fail(`a line of ${end - start} bytes runs over its location`);
    if (row - firstLine >= MAX_LINES_PER_LOCATION) tooMany({ MAX_LINES_PER_LOCATION });
    if (row >= MAX_LINES_PER_PROFILE) tooMany({ MAX_LINES_PER_PROFILE });
    if (row === lines.function.length) growTable(lines);
    let functionId = 0;
    let line = 0;
    let column = 0;
    let pos = start;
    while (pos < end) {
      const at = pos;
      const tag = bytes[pos++] as number;
      let value = bytes[pos++] as number;
      if (value > 127) {
        const byte = bytes[pos++] as number;
        value = (value & 127) | (byte << 7);
        if (!(byte < 128)) {
          value = reader.varintAt(at + 1);
          pos = reader.pos;
        }
      }
      if (tag === 8) functionId = value >= 0 ? value : this.#wideId();
      else if (tag === 16) line = value >= 0 ? value : this.#wideLine();
      else if (tag === 24) column = value >= 0 ? value : this.#wideLine();
      else pos = this.#unknownAt(at, 3, end);
    }
    reader.pos = pos;
    reader.checkEnd(end);
    lines.function[row] = functionId;
    lines.line[row] = line;
    lines.column[row] = column;
    lines.count = row + 1;
  }

  /** Reads the field at `at` again, as one that is not a row's own; returns where it ends. */
  #unknownAt(at: number, lastField: number, end: number): number {
    this.#reader.pos = at;
    this.#unknown(this.#reader.varint(), lastField, end);
    return this.#reader.pos;
  }

  #sample(end: number): void {
    const { samples, stackLocations, values, labels } = this.#columns;
    const reader = this.#reader;
    const row = samples.count;
    if (row >= MAX_SAMPLES_PER_PROFILE) tooMany({ MAX_SAMPLES_PER_PROFILE });
    if (row + 1 >= samples.stack.length) growTable(samples);
    samples.stack[row] = stackLocations.count;
    samples.value[row] = values.count;
    samples.label[row] = labels.count;
    while (reader.pos < end) {
      const tag = reader.varint();
      if (tag === 10) this.#stack(reader.end(end));
      else if (tag === 18) this.#values(reader.end(end));
      else if (tag === 26) this.#label(reader.end(end));
      else if (tag === 8) this.#stackEntry();
      else if (tag === 16) this.#value();
      else this.#unknown(tag, 3, end);
    }
    const depth = stackLocations.count - (samples.stack[row] as number);
    if (depth > MAX_STACK_DEPTH) tooMany({ MAX_STACK_DEPTH });
    samples.count = row + 1;
  }

  #stack(end: number): void {
    const reader = this.#reader;
    const { stackLocations } = this.#columns;
    // An id has at most ten bytes; this bounds what the loop below makes room for.
    if (end - reader.pos > MAX_STACK_DEPTH * 10) tooMany({ MAX_STACK_DEPTH });
    while (stackLocations.location.length - stackLocations.count < end - reader.pos) {
      this.#growStacks();
    }
    // The hot loop: one or two bytes per location, kept in locals.
    const { bytes } = reader;
    const { location } = stackLocations;
    let { count } = stackLocations;
    let pos = reader.pos;
    while (pos < end) {
      let id = bytes[pos++] as number;
      if (id > 127) {
        const byte = bytes[pos++] as number;
        if (byte < 128) id = (id & 127) | (byte << 7);
        else {
          reader.pos = pos - 2;
          id = this.#id();
          pos = reader.pos;
        }
      }
      location[count++] = id;
    }
    stackLocations.count = count;
    reader.pos = pos;
    reader.checkEnd(end);
  }

  #growStacks(): void {
    const { stackLocations } = this.#columns;
    if (stackLocations.location.length >= MAX_STACK_ENTRIES_PER_PROFILE) {
      tooMany({ MAX_STACK_ENTRIES_PER_PROFILE });
    }
    growTable(stackLocations);
  }

  #stackEntry(): void {
    const { stackLocations } = this.#columns;
    if (stackLocations.count === stackLocations.location.length) this.#growStacks();
    stackLocations.location[stackLocations.count++] = this.#id();
  }

  #values(end: number): void {
    const reader = this.#reader;
    while (reader.pos < end) this.#value();
    reader.checkEnd(end);
  }

  #value(): void {
    const { values } = this.#columns;
    const reader = this.#reader;
    if (values.count >= MAX_VALUES_PER_PROFILE) tooMany({ MAX_VALUES_PER_PROFILE });
    if (values.count * 2 === values.value.length) growTable(values);
    reader.varint64();
    values.value[values.count * 2] = reader.low;
    values.value[values.count * 2 + 1] = reader.high;
    values.count++;
  }

  #label(end: number): void {
    const { labels } = this.#columns;
    const reader = this.#reader;
    const row = labels.count;
    if (row >= MAX_LABELS_PER_PROFILE) tooMany({ MAX_LABELS_PER_PROFILE });
    if (row === labels.key.length) growTable(labels);
    labels.key[row] = 0;
    labels.text[row] = 0;
    labels.unit[row] = 0;
    labels.number.fill(0, row * 2, row * 2 + 2);
    while (reader.pos < end) {
      const tag = reader.varint();
      if (tag === 8) labels.key[row] = reader.varint();
      else if (tag === 16) labels.text[row] = reader.varint();
      else if (tag === 24) this.#address(labels.number, row);
      else if (tag === 32) labels.unit[row] = reader.varint();
      else this.#unknown(tag, 4, end);
    }
    reader.checkEnd(end);
    labels.count = row + 1;
  }

  /** A field that profile.proto does not have, or has with another wire type. */
  #unknown(tag: number, lastField: number, end: number): void {
    const field = tag >>> 3;
    const reader = this.#reader;
    if (tag < 8) reader.fail('field number 0 is not allowed');
    // memory_limit and the has_* flags of a mapping are known and not used.
    const unused = lastField === 10 && (field === 3 || field > 6);
    if (field <= lastField && !(unused && (tag & 7) === VARINT)) {
      reader.fail(`field ${field} has wire type ${tag & 7}, which is not its own`);
    }
    reader.skip(tag & 7, end);
  }

  #id(): number {
    const id = this.#reader.varint();
    return id >= 0 ? id : this.#wideId();
  }

  #wideId(): number {
    const { low, high } = this.#reader;
    const id = (BigInt(high >>> 0) << 32n) | BigInt(low >>> 0);
    const known = this.#wideIds.get(id);
    if (known !== undefined) return known;
    if (this.#wideIds.size >= MAX_LOCATIONS_PER_PROFILE) tooMany({ MAX_LOCATIONS_PER_PROFILE });
    const interned = FIRST_WIDE_ID + this.#wideIds.size;
    this.#wideIds.set(id, interned);
    return interned;
  }

  /** Negative and absurd line numbers count as unknown. */
  #wideLine(): number {
    return this.#reader.high === 0 ? this.#reader.low >>> 0 : 0;
  }

  #address(column: Int32Array, row: number): void {
    const reader = this.#reader;
    reader.varint64();
    column[row * 2] = reader.low;
    column[row * 2 + 1] = reader.high;
  }

  /** Ragged columns end with the length of what they point into. */
  #closeRows(): void {
    const { samples, locations, stackLocations, values, labels, lines } = this.#columns;
    samples.stack[samples.count] = stackLocations.count;
    samples.value[samples.count] = values.count;
    samples.label[samples.count] = labels.count;
    locations.lines[locations.count] = lines.count;
  }
}

function tooMany(limit: Record<string, number>): never {
  const [name, max] = Object.entries(limit)[0] as [string, number];
  throw new EverflameError('too-large', `a profile may not have more than ${max} here`, {
    limit: `${name} = ${max}`,
    remedy: 'Send the profile in parts, or for a shorter time.',
  });
}
