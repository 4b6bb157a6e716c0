/** Shares, averages, spans and clock times as the pages print them. */
import { formatCount } from '../profile/format-value.ts';

const THIN = '\u2009';
const MINUS = '\u2212';

/** A share of 1 as a percentage with about three significant digits. */
export function formatShare(share: number, digits = share < 0.0995 ? 2 : 1): string {
  if (!Number.isFinite(share)) return 'none';
  if (share > 0 && share < 0.00005) return `<${THIN}0.01${THIN}%`;
  return `${(share * 100).toFixed(digits)}${THIN}%`;
}

/** Three significant digits or so, without exponents: 0.034, 1.03, 39.2, 1 204. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return (value < 0 ? MINUS : '') + formatCount(size);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : size >= 0.001 ? 3 : 0;
  const text = size.toFixed(size !== 0 && size < 0.1 && digits === 0 ? 4 : digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

/** A length of time in words of at most two units: "16 min", "1 h 30 min", "10 s". */
export function formatSpan(ms: number): string {
  const seconds = Math.round(ms / 1000);
  if (seconds < 60) return `${seconds} s`;
  const minutes = Math.floor(seconds / 60);
  if (minutes < 60) return seconds % 60 ? `${minutes} min ${seconds % 60} s` : `${minutes} min`;
  const hours = Math.floor(minutes / 60);
  if (hours < 48) return minutes % 60 ? `${hours} h ${minutes % 60} min` : `${hours} h`;
  const days = Math.floor(hours / 24);
  return hours % 24 ? `${days} d ${hours % 24} h` : `${days} d`;
}

const two = (value: number) => String(value).padStart(2, '0');

/** "14:02" in the reader's time zone; with seconds where asked. */
/** "1 frame", "2 frames"; `plural` where it is not the noun and an s. */
export function formatCounted(count: number, noun: string, plural = `${noun}s`): string {
  return `${formatCount(count)} ${count === 1 ? noun : plural}`;
}

export function formatClock(ms: number, seconds = false): string {
  const date = new Date(ms);
  const minutes = `${two(date.getHours())}:${two(date.getMinutes())}`;
  return seconds ? `${minutes}:${two(date.getSeconds())}` : minutes;
}

/** "2026-11-21". */
export function formatDay(ms: number): string {
  const date = new Date(ms);
  return `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
}

/** "14:02", with the day where it is not today's. */
export function formatMoment(ms: number, nowMs: number): string {
  const day = formatDay(ms);
  return day === formatDay(nowMs) ? formatClock(ms) : `${day} ${formatClock(ms)}`;
}

/** "14:02 to 14:18", with days where the two differ from each other or from `nowMs`. */
export function formatRange(fromMs: number, toMs: number, nowMs: number): string {
  const seconds = toMs - fromMs < 5 * 60_000;
  const from = formatClock(fromMs, seconds);
  const to = formatClock(toMs, seconds);
  const day = formatDay(fromMs);
  if (day === formatDay(toMs)) {
    if (day === formatDay(nowMs)) return `${from} to ${to}`;
    const yesterday = day === formatDay(nowMs - 86_400_000);
    return `${yesterday ? 'Yesterday' : day} ${from} to ${to}`;
  }
  return `${day} ${from} to ${formatDay(toMs)} ${to}`;
}
