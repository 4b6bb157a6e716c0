/** Texts that runtimes and the kernel write, broken: perf maps and /proc/kallsyms. */
import { assert, EverflameError } from '../../profile/errors.ts';
import { parseKallsyms } from '../../symbolizer/host/kallsyms.ts';
import { PerfMap } from '../../symbolizer/host/perf-map.ts';
import { oneOf, type Random } from './fuzz-debuginfo-random.ts';

const MAX_LINES = 300;
const KERNEL_HALF = 0xffffffff;

/** True if anything could be read. Throws for an answer that no line gives. */
export function tryHostText(random: Random): boolean {
  return random(2) === 0 ? tryPerfMap(random) : tryKallsyms(random);
}

/** Nothing depends on where the parts of the file were cut. */
function tryPerfMap(random: Random): boolean {
  const text = brokenText(random, perfMapLine);
  const whole = new PerfMap();
  whole.append(text);
  const parts = new PerfMap();
  for (let at = 0; at < text.length; ) {
    const end = Math.min(text.length, at + 1 + random(text.length));
    parts.append(text.subarray(at, end));
    at = end;
  }
  assert(parts.count === whole.count, `${parts.count} entries, not ${whole.count}`);
  assert(parts.malformedLines === whole.malformedLines, 'malformed lines by how it was cut');
  const entries = perfMapEntries(text);
  assert(entries.length === whole.count, `${whole.count} entries, not ${entries.length}`);
  for (let i = 0; i < 50; i++) {
    const address = random(0x3000);
    const entry = entries.findLast(({ start, end }) => start <= address && address < end);
    const expected = entry?.name ?? null;
    assert(whole.lookup(address) === expected, `${whole.lookup(address)}, not ${expected}`);
    assert(parts.lookup(address) === expected, `${parts.lookup(address)}, not ${expected}`);
  }
  return whole.count > 0;
}

/** Read another way. */
function perfMapEntries(text: Buffer): { start: number; end: number; name: string }[] {
  const whole = text.toString('latin1').split('\n').slice(0, -1);
  return whole.flatMap((line) => {
    const [, from = '', length = '', name = ''] =
      /^(?:0x)?([0-9a-f]{1,16}) (?:0x)?([0-9a-f]{1,16}) (.+)$/is.exec(line) ?? [];
    const start = Number.parseInt(from, 16);
    const size = Number.parseInt(length, 16);
    const end = start + size;
    const isEntry = Number.isSafeInteger(start) && Number.isSafeInteger(end) && size > 0;
    return isEntry ? { start, end, name: Buffer.from(name, 'latin1').toString('utf8') } : [];
  });
}

function tryKallsyms(random: Random): boolean {
  const text = brokenText(random, kallsymsLine);
  try {
    const symbols = parseKallsyms(text);
    const all = text.toString('utf8');
    for (let i = 0; i < 50; i++) {
      const found = symbols.lookup(KERNEL_HALF, 0x81000000 + random(0x3000));
      if (found === null) continue;
      assert(all.includes(found.name), `nobody wrote "${found.name}"`);
    }
    return symbols.count > 0;
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    return false;
  }
}

function brokenText(random: Random, line: (random: Random) => string): Buffer {
  const lines = Array.from({ length: random(MAX_LINES) }, () => line(random));
  const bytes = Buffer.from(lines.join(random(20) === 0 ? '\r\n' : '\n'));
  for (let times = random(8); times > 0 && bytes.length > 0; times--) {
    const at = random(bytes.length);
    const kind = random(4);
    if (kind === 0) bytes.subarray(at, at + random(200)).fill(oneOf(random, [10, 32, 48, 0xff]));
    else bytes.writeUInt8(kind === 1 ? oneOf(random, [0, 9, 10, 32, 0xc3]) : random(256), at);
  }
  return random(8) === 0 ? bytes.subarray(0, random(bytes.length + 1)) : bytes;
}

function perfMapLine(random: Random): string {
  const start = (random(50) === 0 ? random(2 ** 32) * 2 ** 21 : random(0x2000)).toString(16);
  const size = (random(30) === 0 ? random(2 ** 32) : random(0x200)).toString(16);
  const blank = oneOf(random, [' ', ' ', ' ', ' ', ' ', ' ', ' ', '  ', '\t', '']);
  const prefix = random(5) === 0 ? '0x' : '';
  return `${prefix}${start}${blank}${size} ${'name of '.repeat(random(3))}f${random(100)}`;
}

function kallsymsLine(random: Random): string {
  const low = (0x81000000 + random(0x2000)).toString(16).padStart(8, '0');
  const high = random(20) === 0 ? '00000000' : 'ffffffff';
  const module = oneOf(random, ['', '', '\t[zfs]', '\t[bpf]', '\t[', ' [x]']);
  return `${high}${low} ${oneOf(random, [...'tTwWdDAr'])} ${'_'.repeat(random(20))}f${random(99)}${module}`;
}
