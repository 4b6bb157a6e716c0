/**
 * WriteRawRequest in the JSON of protobuf, as Parca's gateway takes it: names in camelCase or as in
 * the .proto file, bytes in base64, 64-bit integers as numbers or text.
 */
import protobuf from 'protobufjs/minimal.js';
import { EverflameError } from '../profile/errors.ts';
import {
  MAX_COUNTERS_PER_WINDOW,
  MAX_PROFILES_PER_REQUEST,
  MAX_SENT_LABELS_PER_SERIES,
  MAX_WINDOWS_PER_REQUEST,
} from '../profile/limits.ts';
import type { AgentReport, RawSeries, ReportWindow, WriteRawRequest } from './write-raw.ts';

const { base64 } = protobuf.util;

/** Throws `invalid` naming the field for JSON of another shape, `too-large` over a limit. */
export function decodeWriteRawJson(body: Uint8Array): WriteRawRequest {
  const root = asObject(parseJson(body), 'body');
  const series = asArray(root.series, 'series', { MAX_PROFILES_PER_REQUEST });
  let profiles = 0;
  return {
    tenant: asText(root.tenant, 'tenant'),
    series: series.map((value, i) => {
      const row = readSeries(value, `series[${i}]`);
      profiles += row.profiles.length;
      if (profiles > MAX_PROFILES_PER_REQUEST) tooMany('series', { MAX_PROFILES_PER_REQUEST });
      return row;
    }),
    normalized: root.normalized === true,
    report: root.report == null ? null : readReport(asObject(root.report, 'report')),
  };
}

type JsonObject = { [name: string]: unknown };

function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    throw new EverflameError('invalid', 'the body is not JSON in UTF-8', { field: 'body', cause });
  }
}

function readSeries(value: unknown, field: string): RawSeries {
  const series = asObject(value, field);
  const set = asObject(series.labels ?? {}, `${field}.labels`);
  const labels = asArray(set.labels, `${field}.labels.labels`, { MAX_SENT_LABELS_PER_SERIES });
  const samples = asArray(series.samples, `${field}.samples`, { MAX_PROFILES_PER_REQUEST });
  return {
    labels: labels.map((entry, i) => {
      const at = `${field}.labels.labels[${i}]`;
      const label = asObject(entry, at);
      return { name: asText(label.name, `${at}.name`), value: asText(label.value, `${at}.value`) };
    }),
    profiles: samples.map((entry, i) => {
      const at = `${field}.samples[${i}]`;
      const sample = asObject(entry, at);
      return asBytes(sample.rawProfile ?? sample.raw_profile, `${at}.rawProfile`);
    }),
  };
}

function readReport(report: JsonObject): AgentReport {
  const windows = asArray(report.windows, 'report.windows', { MAX_WINDOWS_PER_REQUEST });
  return {
    batchId: asText(report.batchId ?? report.batch_id, 'report.batchId'),
    agentId: asText(report.agentId ?? report.agent_id, 'report.agentId'),
    agentVersion: asText(report.agentVersion ?? report.agent_version, 'report.agentVersion'),
    host: asText(report.host, 'report.host'),
    kernel: asText(report.kernel, 'report.kernel'),
    windows: windows.map((window, i) => readWindow(window, `report.windows[${i}]`)),
  };
}

function readWindow(value: unknown, field: string): ReportWindow {
  const window = asObject(value, field);
  const entries = Object.entries(asObject(window.counters ?? {}, `${field}.counters`));
  if (entries.length > MAX_COUNTERS_PER_WINDOW) tooMany(field, { MAX_COUNTERS_PER_WINDOW });
  return {
    seq: asCount(window.seq, `${field}.seq`),
    startMs: asCount(window.startMs ?? window.start_ms, `${field}.startMs`),
    lengthMs: asCount(window.lengthMs ?? window.length_ms, `${field}.lengthMs`),
    frequencyHz: asNumber(window.frequencyHz ?? window.frequency_hz, `${field}.frequencyHz`),
    counters: Object.fromEntries(
      entries.map(([name, count]) => [name, asCount(count, `${field}.counters.${name}`)]),
    ),
  };
}

/** In protobuf's JSON an absent field, and one that is null, has its default value. */
function asObject(value: unknown, field: string): JsonObject {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw wrongShape(field, 'an object');
  }
  return value as JsonObject;
}

function asArray(value: unknown, field: string, limit: Record<string, number>): unknown[] {
  if (value == null) return [];
  if (!Array.isArray(value)) throw wrongShape(field, 'an array');
  for (const max of Object.values(limit)) if (value.length > max) tooMany(field, limit);
  return value;
}

function asText(value: unknown, field: string): string {
  if (value == null) return '';
  if (typeof value !== 'string') throw wrongShape(field, 'a string');
  return value;
}

function asNumber(value: unknown, field: string): number {
  if (value == null) return 0;
  const number = typeof value === 'string' && value !== '' ? Number(value) : value;
  if (typeof number !== 'number' || !Number.isFinite(number)) throw wrongShape(field, 'a number');
  return number;
}

function asCount(value: unknown, field: string): number {
  const number = asNumber(value, field);
  if (!Number.isSafeInteger(number) || number < 0) {
    throw wrongShape(field, 'an integer between 0 and 2^53');
  }
  return number;
}

function asBytes(value: unknown, field: string): Uint8Array {
  const text = asText(value, field);
  if (!base64.test(text)) throw wrongShape(field, 'base64');
  const bytes = new Uint8Array(Math.ceil(text.length / 4) * 3);
  return bytes.subarray(0, base64.decode(text, bytes, 0));
}

function wrongShape(field: string, what: string): EverflameError {
  return new EverflameError('invalid', `${field} is not ${what}`, { field });
}

function tooMany(field: string, limit: Record<string, number>): never {
  const [name, max] = Object.entries(limit)[0] as [string, number];
  throw new EverflameError('too-large', `${field} has more than ${max} entries`, {
    field,
    limit: `${name} = ${max}`,
    remedy: 'Split the request.',
  });
}
