/** The body of a WriteRaw request: which of its two forms it has, and what the report says. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_REPORT_TEXT_LENGTH } from '../../profile/limits.ts';
import type { Labels } from '../../profile/select/labels.ts';
import type { EpochMs } from '../../profile/units.ts';
import type { AgentInfo, WindowRow } from '../../store/store.ts';
import { type AgentReport, decodeWriteRaw, type WriteRawRequest } from '../../wire/write-raw.ts';
import { decodeWriteRawJson } from '../../wire/write-raw-json.ts';
import { checkNotFuture } from './profile-header.ts';

/** Decodes by content type; without one the first byte tells JSON from protobuf. */
export function readWriteRawBody(body: Uint8Array, contentType: string): WriteRawRequest {
  const mediaType = contentType.split(';', 1)[0]?.trim().toLowerCase() ?? '';
  if (/^application\/(.+\+)?json$/.test(mediaType)) return decodeWriteRawJson(body);
  const isProtobuf =
    mediaType === '' ||
    mediaType === 'application/octet-stream' ||
    /^application\/(x-|vnd\.google\.)?protobuf$/.test(mediaType);
  if (isProtobuf) return decodeWriteRaw(body);
  throw new EverflameError('unsupported', `Content-Type ${mediaType} is not supported`, {
    field: 'Content-Type',
    remedy: 'Send application/x-protobuf or application/json.',
  });
}

/** Sent labels as a record. A name that stands twice is refused: which value holds is not said. */
export function readLabels(
  labels: readonly { name: string; value: string }[],
  field: string,
): Labels {
  const record: Record<string, string> = Object.create(null);
  for (const { name, value } of labels) {
    if (Object.hasOwn(record, name)) {
      const message = `label ${JSON.stringify(name.slice(0, 80))} stands twice`;
      throw new EverflameError('unprocessable', message, { field });
    }
    record[name] = value;
  }
  return record;
}

/** The names in profile/window-counters.ts, and those of agents that are newer. */
const COUNTER_NAME = /^[a-z][a-z0-9_]{0,63}$/;

export function readAgent(report: AgentReport): AgentInfo {
  if (report.agentId === '') throw badReport('agent_id', 'is empty');
  const { agentId, agentVersion, host, kernel, batchId } = report;
  const texts = {
    agent_id: agentId,
    agent_version: agentVersion,
    host,
    kernel,
    batch_id: batchId,
  };
  for (const [name, text] of Object.entries(texts)) {
    if (text.length > MAX_REPORT_TEXT_LENGTH) throw badReport(name, 'is too long');
  }
  return { id: agentId, host, version: agentVersion, kernel };
}

export function readWindows(report: AgentReport, nowMs: EpochMs): WindowRow[] {
  return report.windows.map((window, i) => {
    const field = `windows[${i}]`;
    if (!(window.frequencyHz >= 0 && window.frequencyHz < 1e6)) {
      throw badReport(`${field}.frequency_hz`, 'is not between 0 and 1,000,000');
    }
    checkNotFuture(window.startMs, nowMs, `report.${field}.start_ms`);
    checkNotFuture(window.startMs + window.lengthMs, nowMs, `report.${field}.length_ms`);
    for (const name of Object.keys(window.counters)) {
      if (!COUNTER_NAME.test(name)) {
        throw badReport(`${field}.counters`, `has ${JSON.stringify(name.slice(0, 80))}`);
      }
    }
    return {
      seq: window.seq,
      startMs: window.startMs as EpochMs,
      lengthMs: window.lengthMs,
      frequencyHz: window.frequencyHz,
      counters: window.counters,
    };
  });
}

function badReport(name: string, what: string): EverflameError {
  const field = `report.${name}`;
  return new EverflameError('unprocessable', `${field} ${what}`, {
    field,
    ...(what === 'is too long'
      ? { limit: `MAX_REPORT_TEXT_LENGTH = ${MAX_REPORT_TEXT_LENGTH}` }
      : {}),
  });
}
