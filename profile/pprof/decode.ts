/**
 * pprof (github.com/google/pprof, proto/profile.proto) -> columns, in one pass over the bytes and
 * one over the rows. Strict about structure and bounds; what real writers leave out is accepted:
 * no mappings, locations without lines, lines without a function, ids in any order and any size.
 */
import { EverflameError } from '../errors.ts';
import {
  MAX_COMMENTS_PER_PROFILE,
  MAX_MAPPINGS_PER_PROFILE,
  MAX_SAMPLE_TYPES,
  MAX_STRING_BYTES,
  MAX_STRINGS_PER_PROFILE,
} from '../limits.ts';
import { growTable, type PprofColumns } from './columns.ts';
import { readFunction, readLocation } from './frames.ts';
import { checkHeaderTexts, resolvePprofIds } from './ids.ts';
import { WireType } from './protobuf.ts';
import { readSample } from './samples.ts';
import { PprofWire, tooMany } from './wire.ts';

const { varint: VARINT, bytes: BYTES } = WireType;

const SAMPLE_TAG = (2 << 3) | BYTES;
const LOCATION_TAG = (4 << 3) | BYTES;
const FUNCTION_TAG = (5 << 3) | BYTES;
const TEXT_TAG = (6 << 3) | BYTES;

/** Fields 1 to 6 of profile.proto's Profile hold rows; errors call them by these names. */
const ROW_FIELDS = ['sample_type', 'sample', 'mapping', 'location', 'function', 'string_table'];

export class PprofDecoder {
  readonly #wire = new PprofWire();
  readonly #columns: PprofColumns;

  constructor(columns: PprofColumns) {
    this.#columns = columns;
  }

  /** Fills the columns; they are the caller's until the next call. Throws an EverflameError. */
  decode(bytes: Uint8Array): void {
    const wire = this.#wire;
    this.#columns.reset(bytes);
    wire.reset(bytes);
    if (bytes.length === 0) {
      throw new EverflameError('invalid', 'the profile is empty', { field: 'sample_type' });
    }
    let field = 0;
    try {
      while (wire.pos < bytes.length) {
        const tag = wire.varint();
        field = tag >>> 3;
        if (tag === TEXT_TAG) this.#texts(bytes);
        else if (tag === FUNCTION_TAG || tag === LOCATION_TAG || tag === SAMPLE_TAG) {
          this.#rows(tag, bytes);
        } else this.#field(field, tag & 7, bytes.length);
      }
      wire.checkEnd(bytes.length);
    } catch (error) {
      throw this.#located(error, field);
    }
    this.#closeRows();
    resolvePprofIds(this.#columns);
  }

  /**
   * Reads the fields at these offsets, none of which holds rows, into columns whose rows are there.
   * For who decodes the rows in another way.
   */
  decodeHeader(bytes: Uint8Array, offsets: Uint32Array): void {
    const wire = this.#wire;
    wire.reset(bytes);
    for (const offset of offsets) {
      wire.pos = offset;
      const tag = wire.varint();
      this.#field(tag >>> 3, tag & 7, bytes.length);
    }
    checkHeaderTexts(this.#columns);
  }

  #field(field: number, wireType: number, limit: number): void {
    const wire = this.#wire;
    if (field >= 1 && field <= 6) {
      wire.expect(wireType, BYTES);
      this.#row(field, wire.end(limit));
    } else if (field === 11) {
      wire.expect(wireType, BYTES);
      this.#columns.periodType = this.#valueType(wire.end(limit));
    } else if (field === 13) {
      this.#comments(wireType, limit);
    } else if (field >= 7 && field <= 15) {
      wire.expect(wireType, VARINT);
      this.#scalar(field);
    } else {
      wire.unknown((field << 3) | wireType, 15, limit);
    }
  }

  /**
   * Functions, locations or samples: the one whose tag was read, and those of the same tag behind
   * it. Writers put the rows of a table together, which spares finding out for each what it is.
   */
  #rows(tag: number, bytes: Uint8Array): void {
    const wire = this.#wire;
    const columns = this.#columns;
    for (;;) {
      const end = wire.end(bytes.length);
      if (tag === LOCATION_TAG) readLocation(wire, columns, end);
      else if (tag === FUNCTION_TAG) readFunction(wire, columns, end);
      else readSample(wire, columns, end);
      if (wire.pos !== end) wire.fail('a field runs over the end of its message');
      if (bytes[end] !== tag) return;
      wire.pos = end + 1;
    }
  }

  /** The same for texts. */
  #texts(bytes: Uint8Array): void {
    const { texts } = this.#columns;
    const wire = this.#wire;
    let row = texts.count;
    let pos = wire.pos;
    do {
      if (row >= MAX_STRINGS_PER_PROFILE) tooMany({ MAX_STRINGS_PER_PROFILE });
      if (row === texts.start.length) growTable(texts);
      let length = bytes[pos] as number;
      let start = pos + 1;
      if (!(length < 128 && start + length <= bytes.length)) {
        wire.pos = pos;
        length = wire.end(bytes.length) - wire.pos;
        if (length > MAX_STRING_BYTES) tooMany({ MAX_STRING_BYTES });
        start = wire.pos;
      }
      texts.start[row] = start;
      texts.length[row] = length;
      // Errors tell how many texts there were.
      texts.count = ++row;
      pos = start + length;
    } while (bytes[pos++] === TEXT_TAG);
    wire.pos = pos - 1;
  }

  /** A mapping or a sample type, of which there are few. */
  #row(field: number, end: number): void {
    const wire = this.#wire;
    const { sampleTypes } = this.#columns;
    if (field === 3) this.#mapping(end);
    else {
      if (sampleTypes.length >= MAX_SAMPLE_TYPES) tooMany({ MAX_SAMPLE_TYPES });
      sampleTypes.push(this.#valueType(end));
    }
    if (wire.pos !== end) wire.fail('a field runs over the end of its message');
  }

  /** drop_frames and keep_frames tell pprof's own tools what to hide; nothing is hidden here. */
  #scalar(field: number): void {
    const columns = this.#columns;
    const wire = this.#wire;
    wire.varint64();
    const value = (BigInt(wire.high) << 32n) | BigInt(wire.low >>> 0);
    if (field === 9) columns.timeNanos = value;
    else if (field === 10) columns.durationNanos = value;
    else if (field === 12) columns.period = value;
    else if (field === 14) columns.defaultSampleType = Number(value);
    else if (field === 15) columns.docUrl = Number(value);
  }

  #valueType(end: number): { type: number; unit: number } {
    const wire = this.#wire;
    const row = { type: 0, unit: 0 };
    while (wire.pos < end) {
      const tag = wire.varint();
      if (tag === 8) row.type = wire.varint();
      else if (tag === 16) row.unit = wire.varint();
      else wire.unknown(tag, 2, end);
    }
    wire.checkEnd(end);
    return row;
  }

  #comments(wireType: number, limit: number): void {
    const wire = this.#wire;
    const { comments } = this.#columns;
    const isPacked = wireType === BYTES;
    if (!isPacked) wire.expect(wireType, VARINT);
    // An unpacked field is one number, so one that begins before the next byte.
    const end = isPacked ? wire.end(limit) : wire.pos + 1;
    while (wire.pos < end) {
      if (comments.length >= MAX_COMMENTS_PER_PROFILE) tooMany({ MAX_COMMENTS_PER_PROFILE });
      comments.push(wire.varint());
    }
    if (isPacked) wire.checkEnd(end);
  }

  #mapping(end: number): void {
    const { mappings } = this.#columns;
    const wire = this.#wire;
    const row = mappings.count;
    if (row >= MAX_MAPPINGS_PER_PROFILE) tooMany({ MAX_MAPPINGS_PER_PROFILE });
    if (row === mappings.id.length) growTable(mappings);
    mappings.id[row] = 0;
    mappings.file[row] = 0;
    mappings.buildId[row] = 0;
    mappings.start.fill(0, row * 2, row * 2 + 2);
    mappings.offset.fill(0, row * 2, row * 2 + 2);
    while (wire.pos < end) {
      const tag = wire.varint();
      if (tag === 8) mappings.id[row] = wire.id();
      else if (tag === 16) wire.halves(mappings.start, row);
      else if (tag === 32) wire.halves(mappings.offset, row);
      else if (tag === 40) mappings.file[row] = wire.varint();
      else if (tag === 48) mappings.buildId[row] = wire.varint();
      // memory_limit and the has_* flags say nothing that the locations do not.
      else wire.unknown(tag, 10, end, [3, 7, 8, 9, 10]);
    }
    mappings.count = row + 1;
  }

  /** Ragged columns end with the length of what they point into. */
  #closeRows(): void {
    const { samples, locations, stackLocations, values, labels, lines } = this.#columns;
    samples.stack[samples.count] = stackLocations.count;
    samples.value[samples.count] = values.count;
    samples.label[samples.count] = labels.count;
    locations.lines[locations.count] = lines.count;
  }

  /** An error of the wire format, with the row it was met in. */
  #located(error: unknown, field: number): unknown {
    const name = ROW_FIELDS[field - 1];
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
    if (field === 1) return sampleTypes.length;
    return [samples, mappings, locations, functions, texts][field - 2]?.count ?? 0;
  }
}
