/** Values as JSON and as CSV (RFC 4180). No digit of a number is lost in either. */
import type { Column, ColumnType } from './column-type.ts';
import type { Interval, Value } from './column-values.ts';

/** A value as JSON. Integers beyond 2^53 and what JSON has no number for are texts. */
export function toJson(value: Value, type: ColumnType): string {
  if (value === null) return 'null';
  switch (type.kind) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'integer':
    case 'float':
    case 'double':
    case 'decimal':
      return numberJson(scalarText(value, type));
    case 'list':
    case 'array':
      return `[${(value as Value[]).map((item) => toJson(item, type.child)).join(',')}]`;
    case 'struct':
      return `{${(value as Value[])
        .map((item, at) => `${JSON.stringify(type.names[at])}:${toJson(item, childAt(type, at))}`)
        .join(',')}}`;
    case 'map':
      return `{${(value as [Value, Value][])
        .map(
          ([key, item]) => `${JSON.stringify(keyText(key, type.key))}:${toJson(item, type.value)}`,
        )
        .join(',')}}`;
    default:
      return JSON.stringify(scalarText(value, type));
  }
}

function childAt(type: ColumnType & { kind: 'struct' }, at: number): ColumnType {
  return type.children[at] ?? { kind: 'null' };
}

function keyText(key: Value, type: ColumnType): string {
  return 'child' in type || 'children' in type || type.kind === 'map'
    ? toJson(key, type)
    : scalarText(key, type);
}

/** As a number where reading it as a double and printing that gives the same digits. */
function numberJson(text: string): string {
  if (!/^-?\d/.test(text)) return JSON.stringify(text);
  const digits = text.replace(/e.*$/, '').replace(/\D/g, '').replace(/^0+/, '');
  const exact = /[.e]/.test(text) ? digits.length <= 17 : Number.isSafeInteger(Number(text));
  return exact ? text : JSON.stringify(text);
}

/** A value without parts as text; also what CSV and the text columns of Arrow hold. */
export function scalarText(value: Value, type: ColumnType): string {
  switch (type.kind) {
    case 'decimal':
      return decimalText(BigInt(value as number | bigint), type.scale);
    case 'float':
    case 'double':
      return doubleText(value as number, type.kind === 'float');
    case 'date':
      return dateText(value as number);
    case 'time':
      return timeText(value as bigint);
    case 'timestamp':
      return timestampText(value as bigint, type.perSecond);
    case 'interval':
      return intervalText(value as Interval);
    default:
      return String(value);
  }
}

function decimalText(units: bigint, scale: number): string {
  if (scale === 0) return String(units);
  const digits = String(units < 0n ? -units : units).padStart(scale + 1, '0');
  return `${units < 0n ? '-' : ''}${digits.slice(0, -scale)}.${digits.slice(-scale)}`;
}

/** The shortest text that reads back as the same number; a float's is shorter than a double's. */
function doubleText(value: number, single: boolean): string {
  if (!Number.isFinite(value)) return String(value);
  if (Object.is(value, -0)) return '-0.0';
  if (!single) return String(value).replace('e+', 'e');
  for (let digits = 6; digits < 9; digits++) {
    const short = Number(value.toPrecision(digits));
    if (Math.fround(short) === value) return String(short).replace('e+', 'e');
  }
  return String(value).replace('e+', 'e');
}

const MS_PER_DAY = 86_400_000;
const INFINITE_DATE = 2 ** 31 - 1;
const INFINITE_TIMESTAMP = 2n ** 63n - 1n;

function dateText(days: number): string {
  if (days === INFINITE_DATE) return 'infinity';
  if (days === -INFINITE_DATE) return '-infinity';
  const date = new Date(days * MS_PER_DAY);
  return Number.isNaN(date.getTime()) ? `day ${days}` : date.toISOString().replace(/T.*$/, '');
}

/** RFC 3339 in UTC, with as many digits of a second as the value has, in groups of three. */
function timestampText(value: bigint, perSecond: number): string {
  if (value === INFINITE_TIMESTAMP) return 'infinity';
  if (value === -INFINITE_TIMESTAMP) return '-infinity';
  const unit = BigInt(perSecond);
  const rest = ((value % unit) + unit) % unit;
  const seconds = Number((value - rest) / unit);
  const date = new Date(seconds * 1000);
  const whole = Number.isNaN(date.getTime())
    ? `second ${seconds}`
    : date.toISOString().slice(0, -5);
  return `${whole}${fraction(rest, perSecond)}Z`;
}

function timeText(micros: bigint): string {
  const seconds = Number(micros / 1_000_000n);
  const parts = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60, seconds % 60];
  const clock = parts.map((part) => String(part).padStart(2, '0')).join(':');
  return `${clock}${fraction(micros % 1_000_000n, 1e6)}`;
}

function fraction(units: bigint, perSecond: number): string {
  if (units === 0n) return '';
  const digits = String(units).padStart(String(perSecond).length - 1, '0');
  return `.${digits.replace(/(000)+$/, '')}`;
}

/** ISO 8601: months, days and seconds, each with its own sign. */
function intervalText({ months, days, micros }: Interval): string {
  const seconds = decimalText(micros, 6).replace(/\.?0+$/, '');
  const date = `${months === 0 ? '' : `${months}M`}${days === 0 ? '' : `${days}D`}`;
  const time = micros === 0n ? '' : `T${seconds}S`;
  return date === '' && time === '' ? 'PT0S' : `P${date}${time}`;
}

export function csvHead(columns: readonly Column[]): string {
  return `${columns.map(({ name }) => csvField(name)).join(',')}\r\n`;
}

export function csvRow(values: readonly Value[], columns: readonly Column[]): string {
  const fields = values.map((value, at) => csvValue(value, columns[at]?.type ?? { kind: 'null' }));
  return `${fields.join(',')}\r\n`;
}

/** An empty field is null; an empty text is a pair of quotes. What has parts is JSON. */
function csvValue(value: Value, type: ColumnType): string {
  if (value === null) return '';
  if (Array.isArray(value)) return csvField(toJson(value, type));
  const text = scalarText(value, type);
  return text === '' ? '""' : csvField(text);
}

function csvField(text: string): string {
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
