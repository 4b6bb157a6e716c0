/** Numbers, shares, durations and clock times as the pages print them. */

const THIN = '\u2009';
const NARROW = '\u202f';
const MINUS = '\u2212';

/** 747838 -> "747 838", with narrow no-break spaces. */
export function formatCount(value: number): string {
  const digits = Math.abs(Math.round(value)).toString();
  const grouped = digits.replace(/\B(?=(\d{3})+$)/g, NARROW);
  return value < 0 && grouped !== '0' ? MINUS + grouped : grouped;
}

/** A share of 1 as a percentage with about three significant digits. */
export function formatShare(share: number, digits = share < 0.0995 ? 2 : 1): string {
  if (!Number.isFinite(share)) return 'none';
  if (share > 0 && share < 0.00005) return `<${THIN}0.01${THIN}%`;
  return `${(share * 100).toFixed(digits)}${THIN}%`;
}

/** A signed number with a true minus sign; zero has a plus. */
export function formatSigned(value: number, digits = 2): string {
  const text = Math.abs(value).toFixed(digits);
  return (value < 0 && Number(text) !== 0 ? MINUS : '+') + text;
}

/** Three significant digits or so, without exponents: 0.034, 1.03, 39.2, 1 204. */
export function formatNumber(value: number): string {
  const size = Math.abs(value);
  if (size >= 1000) return formatCount(value);
  const digits = size >= 100 ? 0 : size >= 10 ? 1 : size >= 0.1 ? 2 : size >= 0.001 ? 3 : 0;
  const text = size.toFixed(size !== 0 && size < 0.1 && digits === 0 ? 4 : digits);
  return value < 0 && Number(text) !== 0 ? MINUS + text : text;
}

const SCALES: Record<string, { base: number; names: readonly string[] }> = {
  bytes: { base: 1024, names: ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'] },
  count: { base: 1000, names: ['', 'k', 'M', 'G', 'T'] },
};

/** 1536 -> "1.50 KiB" for bytes, 12300 -> "12.3 k" for counts; other units stay as they are. */
export function formatScaled(value: number, unit: string): string {
  const scale = SCALES[unit === 'bytes' ? 'bytes' : 'count'];
  if (scale === undefined || (unit !== 'bytes' && Math.abs(value) < 10_000)) {
    return formatNumber(value);
  }
  let step = 0;
  let rest = value;
  while (Math.abs(rest) >= scale.base && step < scale.names.length - 1) {
    rest /= scale.base;
    step++;
  }
  const name = scale.names[step];
  return name ? `${formatNumber(rest)}${NARROW}${name}` : formatNumber(rest);
}

/** Nanoseconds with the unit that leaves the fewest digits: "1.24 s", "3 h 12 min". */
export function formatNanoseconds(value: number): string {
  const size = Math.abs(value);
  if (size >= 3600e9) {
    const minutes = Math.round(value / 60e9);
    return `${formatCount(Math.trunc(minutes / 60))} h ${Math.abs(minutes % 60)} min`;
  }
  if (size >= 60e9) {
    const seconds = Math.round(value / 1e9);
    return `${Math.trunc(seconds / 60)} min ${Math.abs(seconds % 60)} s`;
  }
  if (size >= 1e9) return `${formatNumber(value / 1e9)} s`;
  if (size >= 1e6) return `${formatNumber(value / 1e6)} ms`;
  if (size >= 1e3) return `${formatNumber(value / 1e3)} µs`;
  return `${formatNumber(value)} ns`;
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
