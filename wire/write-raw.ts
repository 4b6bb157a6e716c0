/**
 * Parca's WriteRawRequest (parca.profilestore.v1alpha1) with everflame's AgentReport at field 1000
 * (docs/formats.md section 3), in protobuf. The JSON form is wire/write-raw-json.ts.
 */
import protobuf from 'protobufjs/minimal.js';
import { EverflameError } from '../profile/errors.ts';
import {
  MAX_COUNTERS_PER_WINDOW,
  MAX_PROFILES_PER_REQUEST,
  MAX_SENT_LABELS_PER_SERIES,
  MAX_WINDOWS_PER_REQUEST,
} from '../profile/limits.ts';

const { Reader, Writer } = protobuf;
type Reader = protobuf.Reader;
type Writer = protobuf.Writer;

export interface WriteRawRequest {
  /** Parca has it in its message and does not read it; neither do we. */
  tenant: string;
  series: RawSeries[];
  /** True where every address is one of its ELF file's address space. */
  normalized: boolean;
  /** Null where the sender is not an everflame agent. */
  report: AgentReport | null;
}

export interface RawSeries {
  /** As sent: not sorted, may repeat a name, may hold names that begin with `__`. */
  labels: { name: string; value: string }[];
  /** pprofs, each gzipped or not. */
  profiles: Uint8Array[];
}

export interface AgentReport {
  /** Random, 32 hex digits; the same in every retry. */
  batchId: string;
  agentId: string;
  agentVersion: string;
  host: string;
  kernel: string;
  /** The request's own window last. */
  windows: ReportWindow[];
}

export interface ReportWindow {
  seq: number;
  startMs: number;
  lengthMs: number;
  frequencyHz: number;
  /** Named in profile/window-counters.ts; integers from 0 to 2^53. */
  counters: Record<string, number>;
}

const REPORT_FIELD = 1000;

export function encodeWriteRaw(request: WriteRawRequest): Uint8Array {
  const writer = Writer.create();
  if (request.tenant !== '') text(writer, 1, request.tenant);
  for (const series of request.series) {
    message(writer, 2, () => writeSeries(writer, series));
  }
  if (request.normalized) writer.uint32(tag(3, VARINT)).bool(true);
  const report = request.report;
  if (report !== null) message(writer, REPORT_FIELD, () => writeReport(writer, report));
  return writer.finish();
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;

function tag(field: number, wireType: number): number {
  return (field << 3) | wireType;
}

function text(writer: Writer, field: number, value: string): void {
  writer.uint32(tag(field, BYTES)).string(value);
}

function message(writer: Writer, field: number, body: () => void): void {
  writer.uint32(tag(field, BYTES)).fork();
  body();
  writer.ldelim();
}

function writeSeries(writer: Writer, series: RawSeries): void {
  message(writer, 1, () => {
    for (const { name, value } of series.labels) {
      message(writer, 1, () => {
        text(writer, 1, name);
        text(writer, 2, value);
      });
    }
  });
  for (const profile of series.profiles) {
    message(writer, 2, () => writer.uint32(tag(1, BYTES)).bytes(profile));
  }
}

function writeReport(writer: Writer, report: AgentReport): void {
  text(writer, 1, report.batchId);
  text(writer, 2, report.agentId);
  text(writer, 3, report.agentVersion);
  text(writer, 4, report.host);
  text(writer, 5, report.kernel);
  for (const window of report.windows) message(writer, 6, () => writeWindow(writer, window));
}

function writeWindow(writer: Writer, window: ReportWindow): void {
  writer.uint32(tag(1, VARINT)).uint64(window.seq);
  writer.uint32(tag(2, VARINT)).int64(window.startMs);
  writer.uint32(tag(3, VARINT)).uint32(window.lengthMs);
  writer.uint32(tag(4, FIXED64)).double(window.frequencyHz);
  for (const [name, count] of Object.entries(window.counters)) {
    message(writer, 5, () => {
      text(writer, 1, name);
      writer.uint32(tag(2, VARINT)).uint64(count);
    });
  }
}

/** Throws `invalid` for malformed bytes and `too-large` over a limit; unknown fields are skipped. */
export function decodeWriteRaw(body: Uint8Array): WriteRawRequest {
  const request: WriteRawRequest = { tenant: '', series: [], normalized: false, report: null };
  const reader = Reader.create(body);
  let profiles = 0;
  try {
    readFields(reader, body.length, (field, end) => {
      if (field === tag(1, BYTES)) request.tenant = reader.string();
      else if (field === tag(2, BYTES)) {
        checkLimit(request.series.length, { MAX_PROFILES_PER_REQUEST }, 'series');
        const series = readSeries(reader, end());
        profiles += series.profiles.length;
        checkLimit(profiles - 1, { MAX_PROFILES_PER_REQUEST }, 'series.samples');
        request.series.push(series);
      } else if (field === tag(3, VARINT)) request.normalized = reader.bool();
      else if (field === tag(REPORT_FIELD, BYTES)) request.report = readReport(reader, end());
      else return false;
      return true;
    });
  } catch (error) {
    throw malformed(error, reader.pos);
  }
  return request;
}

/** protobufjs throws plain errors for truncation and bad varints; ours pass through. */
function malformed(error: unknown, position: number): unknown {
  if (error instanceof EverflameError) return error;
  const reason = error instanceof Error ? error.message : String(error);
  return new EverflameError('invalid', `the body is not a WriteRawRequest: ${reason}`, {
    field: 'body',
    position,
    remedy: 'Send the protobuf message whole, as application/x-protobuf.',
    cause: error,
  });
}

/**
 * Calls `read` with each field's tag up to `end`; what it does not read (it answers false) is
 * skipped. `read` asks for the end of a nested message by calling its second argument.
 */
function readFields(
  reader: Reader,
  end: number,
  read: (field: number, nested: () => number) => boolean,
): void {
  const nested = () => {
    const length = reader.uint32();
    const nestedEnd = reader.pos + length;
    if (nestedEnd > end) throw new RangeError(`a message of ${length} bytes is cut off`);
    return nestedEnd;
  };
  while (reader.pos < end) {
    const field = reader.uint32();
    if (field >>> 3 === 0) throw new RangeError('field number 0');
    if (!read(field, nested)) reader.skipType(field & 7);
    if (reader.pos > end) throw new RangeError('a field runs over the end of its message');
  }
}

function checkLimit(count: number, limit: Record<string, number>, field: string): void {
  for (const [name, max] of Object.entries(limit)) {
    if (count < max) continue;
    throw new EverflameError('too-large', `${field} has more than ${max} entries`, {
      field,
      limit: `${name} = ${max}`,
      remedy: 'Split the request.',
    });
  }
}

function readSeries(reader: Reader, end: number): RawSeries {
  const series: RawSeries = { labels: [], profiles: [] };
  readFields(reader, end, (field, nested) => {
    if (field === tag(1, BYTES)) readLabelSet(reader, nested(), series.labels);
    else if (field === tag(2, BYTES)) {
      checkLimit(series.profiles.length, { MAX_PROFILES_PER_REQUEST }, 'series.samples');
      series.profiles.push(readProfile(reader, nested()));
    } else return false;
    return true;
  });
  return series;
}

function readLabelSet(reader: Reader, end: number, labels: RawSeries['labels']): void {
  readFields(reader, end, (field, nested) => {
    if (field !== tag(1, BYTES)) return false;
    checkLimit(labels.length, { MAX_SENT_LABELS_PER_SERIES }, 'series.labels');
    const label = { name: '', value: '' };
    readFields(reader, nested(), (part) => {
      if (part === tag(1, BYTES)) label.name = reader.string();
      else if (part === tag(2, BYTES)) label.value = reader.string();
      else return false;
      return true;
    });
    labels.push(label);
    return true;
  });
}

/** Field 2, executable_info, says what Parca needs to move addresses; we need file offsets only. */
function readProfile(reader: Reader, end: number): Uint8Array {
  let profile = new Uint8Array(0) as Uint8Array;
  readFields(reader, end, (field) => {
    if (field !== tag(1, BYTES)) return false;
    profile = reader.bytes();
    return true;
  });
  return profile;
}

function readReport(reader: Reader, end: number): AgentReport {
  const report: AgentReport = {
    batchId: '',
    agentId: '',
    agentVersion: '',
    host: '',
    kernel: '',
    windows: [],
  };
  readFields(reader, end, (field, nested) => {
    if (field === tag(1, BYTES)) report.batchId = reader.string();
    else if (field === tag(2, BYTES)) report.agentId = reader.string();
    else if (field === tag(3, BYTES)) report.agentVersion = reader.string();
    else if (field === tag(4, BYTES)) report.host = reader.string();
    else if (field === tag(5, BYTES)) report.kernel = reader.string();
    else if (field === tag(6, BYTES)) {
      checkLimit(report.windows.length, { MAX_WINDOWS_PER_REQUEST }, 'report.windows');
      report.windows.push(readWindow(reader, nested()));
    } else return false;
    return true;
  });
  return report;
}

function readWindow(reader: Reader, end: number): ReportWindow {
  const window: ReportWindow = { seq: 0, startMs: 0, lengthMs: 0, frequencyHz: 0, counters: {} };
  let counters = 0;
  readFields(reader, end, (field, nested) => {
    if (field === tag(1, VARINT)) window.seq = count(reader, 'report.windows.seq');
    else if (field === tag(2, VARINT)) window.startMs = count(reader, 'report.windows.start_ms');
    else if (field === tag(3, VARINT)) window.lengthMs = reader.uint32();
    else if (field === tag(4, FIXED64)) window.frequencyHz = reader.double();
    else if (field === tag(5, BYTES)) {
      checkLimit(counters++, { MAX_COUNTERS_PER_WINDOW }, 'report.windows.counters');
      readCounter(reader, nested(), window.counters);
    } else return false;
    return true;
  });
  return window;
}

function readCounter(reader: Reader, end: number, counters: ReportWindow['counters']): void {
  let name = '';
  let value = 0;
  readFields(reader, end, (field) => {
    if (field === tag(1, BYTES)) name = reader.string();
    else if (field === tag(2, VARINT)) value = count(reader, 'report.windows.counters');
    else return false;
    return true;
  });
  // defineProperty, because a counter may be called __proto__.
  Object.defineProperty(counters, name, {
    value,
    enumerable: true,
    writable: true,
    configurable: true,
  });
}

/** A uint64 or int64 that must be an exact number from 0 to 2^53. */
function count(reader: Reader, field: string): number {
  const value = Number(reader.uint64().toString());
  if (Number.isSafeInteger(value)) return value;
  throw new EverflameError('unprocessable', `${field} is not between 0 and 2^53`, { field });
}
