/** Parsers of the files under /proc that the agent reads. Pure: text in, values out. */
import { EverflameError } from '../profile/errors.ts';

export interface MemoryMapping {
  /** Of the process; below 2^53, else the line is left out. */
  start: number;
  end: number;
  fileOffset: number;
  device: string;
  inode: string;
  /** Without ` (deleted)`; empty for anonymous memory. */
  path: string;
  deleted: boolean;
}

/** Mappings of one process that are kept: V8 and JVM heaps reach 10,000, few of them executable. */
export const MAX_MAPPINGS_PER_PROCESS = 65_536;
/** `x`, the third of the permissions. */
const EXECUTABLE = 0x78;
const MAPS_LINE =
  /^([0-9a-f]+)-([0-9a-f]+) ..x. ([0-9a-f]+) ([0-9a-f]+:[0-9a-f]+) (\d+)(?: +(.*))?$/;
const DELETED = ' (deleted)';

/** The executable mappings of /proc/PID/maps, by address. */
export function parseMaps(text: string): MemoryMapping[] {
  const mappings: MemoryMapping[] = [];
  for (let at = 0; at < text.length; ) {
    const newline = text.indexOf('\n', at);
    const lineEnd = newline < 0 ? text.length : newline;
    const permissions = text.indexOf(' ', at) + 1;
    // Nine lines in ten are not executable; they are not worth a regular expression.
    const isCode = permissions > at && text.charCodeAt(permissions + 2) === EXECUTABLE;
    const match = isCode ? MAPS_LINE.exec(text.slice(at, lineEnd)) : null;
    at = lineEnd + 1;
    if (match === null) continue;
    const [, start = '', end = '', offset = '', device = '', inode = '', name = ''] = match;
    const mapping = { start: parseInt(start, 16), end: parseInt(end, 16) };
    // The vsyscall page lies in the kernel's half; so would nothing else.
    if (mapping.end > Number.MAX_SAFE_INTEGER) continue;
    const deleted = name.endsWith(DELETED);
    const path = unescapePath(deleted ? name.slice(0, -DELETED.length) : name);
    mappings.push({ ...mapping, fileOffset: parseInt(offset, 16), device, inode, path, deleted });
    if (mappings.length === MAX_MAPPINGS_PER_PROCESS) break;
  }
  return mappings;
}

/** The kernel writes a newline in a path as \012, and nothing else so. */
function unescapePath(path: string): string {
  return path.includes('\\012') ? path.replaceAll('\\012', '\n') : path;
}

export interface ProcessStat {
  /** As in /proc/PID/comm: only /proc/PID/status has escapes. */
  comm: string;
  /** CLOCK_BOOTTIME, in clock ticks of 10 ms. */
  startTicks: number;
  /** Top of the initial stack; 0 where we may not see it. */
  startStack: bigint;
}

/** USER_HZ, in which /proc/PID/stat and /proc/stat count on every architecture Linux runs on. */
export const TICKS_PER_SECOND = 100;
const TICK_NS = 1_000_000_000n / BigInt(TICKS_PER_SECOND);

/** proc_pid_stat(5); the command may itself hold blanks and parentheses. */
export function parseStat(text: string): ProcessStat {
  const open = text.indexOf('(');
  const close = text.lastIndexOf(')');
  const fields = text.slice(close + 2).split(' ');
  const startTicks = fields[19];
  const startStack = fields[25];
  if (open < 0 || close < open || startTicks === undefined || startStack === undefined) {
    throw new EverflameError('invalid', 'this is no /proc/PID/stat', { field: 'stat' });
  }
  return {
    comm: text.slice(open + 1, close),
    startTicks: Number(startTicks),
    startStack: BigInt.asUintN(64, BigInt(startStack)),
  };
}

/** Ticks of a start time in ns, as /proc/PID/stat cuts it off. */
export function startTicksOf(startNs: bigint): number {
  return Number(startNs / TICK_NS);
}

export interface ProcessStatus {
  /** Effective. */
  uid: number;
  /** The process id in its own pid namespace. */
  namespacePid: number;
}

export function parseStatus(text: string): ProcessStatus {
  const uids = /^Uid:\s*(\d+)\s+(\d+)/m.exec(text);
  const pids = /^NSpid:.*?(\d+)\s*$/m.exec(text) ?? /^Tgid:\s*(\d+)\s*$/m.exec(text);
  if (uids === null || pids === null) {
    throw new EverflameError('invalid', 'this is no /proc/PID/status', { field: 'status' });
  }
  return { uid: Number(uids[2]), namespacePid: Number(pids[1]) };
}

/** CPU time spent on anything but idling and waiting for I/O, of all CPUs together, ns. */
export function parseBusyNs(text: string): number {
  const cpu = /^cpu +(.*)$/m.exec(text);
  if (cpu === null) throw new EverflameError('invalid', 'this is no /proc/stat', { field: 'stat' });
  const ticks = (cpu[1] ?? '').split(' ').map(Number);
  // user nice system idle iowait irq softirq steal: guest time is part of user and nice already,
  // stolen time is another machine's.
  const [user = 0, nice = 0, system = 0, , , irq = 0, softirq = 0] = ticks;
  return (user + nice + system + irq + softirq) * Number(TICK_NS);
}
