/**
 * Debug information in, answers out, beside the tools that people use: how long a conversion takes
 * and how large its result is, the first answers of a new process, and the rate after that.
 */
import { execFileSync } from 'node:child_process';
import { statSync, writeFileSync } from 'node:fs';
import { loadavg } from 'node:os';
import { join } from 'node:path';
import { withFolder } from '../test/e2e/server-process.ts';
import { versionOf } from '../test/fixtures/debuginfo-tools.ts';
import { createRandom } from './random.ts';
import {
  type BenchProgram,
  cxxProgram,
  dwarfBytes,
  goProgram,
  textSection,
} from './symbolizer-programs.ts';
import {
  convertCommand,
  EVERFLAME_LOOKUP,
  gsymCommand,
  installedRivals,
  type Symbolizer,
  sameAnswers,
} from './symbolizer-tools.ts';
import { timeBlazesym, timeOwnLookups } from './symbolizer-warm.ts';
import { runInTurns, runTimed, type TimedRun } from './timed-process.ts';

const ADDRESSES = 20_000;
/** The same addresses so often in one process, less once: the CPU time of a further one. */
const REPEATS = 3;
const ROUNDS = 7;
/** Of those that take longer; the slowest needs half a minute for each. */
const LONG_ROUNDS = 3;

type Row = [figure: string, value: string];

export async function benchSymbolizer(): Promise<string> {
  execFileSync('npm', ['run', '--silent', 'build:server'], { stdio: 'inherit' });
  const rivals = installedRivals();
  const programs = [goProgram(), cxxProgram()];
  const load = loadavg()[0] ?? 0;
  const sections: string[] = [];
  for (const program of programs) {
    if (program !== null) sections.push(await measureProgram(program, rivals));
  }
  const intro =
    `Load of the machine at the start: ${load.toFixed(2)}. Medians of ${ROUNDS} runs that take ` +
    `turns, ${LONG_ROUNDS} where addresses are asked for again. Times are those on the clock, ` +
    'with CPU time in parentheses.';
  return [intro, ...sections].join('\n\n');
}

function measureProgram(program: BenchProgram, rivals: readonly Symbolizer[]): Promise<string> {
  return withFolder(async (folder) => {
    const symbolFile = join(folder, 'symbols.esf');
    runTimed(convertCommand(program.path, symbolFile));
    const rows = [
      ...conversionRows(program.path, symbolFile, join(folder, 'program.gsym')),
      ...lookUpRows(program.path, symbolFile, folder, rivals),
    ];
    const table = rows.map(([figure, value]) => `| ${figure} | ${value} |`);
    return [`**${program.name}**`, '', '| figure | value |', '|---|---|', ...table].join('\n');
  });
}

function conversionRows(program: string, symbolFile: string, gsymFile: string): Row[] {
  const bytes = dwarfBytes(program);
  const size = statSync(symbolFile).size;
  const hasGsym = versionOf('llvm-gsymutil') !== null;
  if (!hasGsym) console.log('no llvm-gsymutil here: apt-get install llvm-19');
  const gsym = hasGsym
    ? [gsymCommand(program, gsymFile, 1), gsymCommand(program, gsymFile, 0)]
    : [];
  const [ours, one, all] = runInTurns([convertCommand(program, symbolFile), ...gsym], ROUNDS);
  if (ours === undefined) throw new Error('nothing was measured');
  const rate = bytes / 1e3 / ours.wallMs;
  const rows: Row[] = [
    ['DWARF, decompressed, MB', (bytes / 1e6).toFixed(1)],
    [
      'symbol file, MB (of the DWARF; aim: 25 %)',
      `${(size / 1e6).toFixed(2)} (${((100 * size) / bytes).toFixed(1)} %)`,
    ],
    ['conversion, ms', inMs(ours)],
    ['conversion, MB of DWARF per second', rate.toFixed(0)],
    ['conversion, peak memory, MB (aim: 1,000)', ours.peakMb.toFixed(0)],
  ];
  if (one !== undefined && all !== undefined) {
    const ratio = ours.wallMs / one.wallMs;
    rows.push(
      ['llvm-gsymutil, 1 thread / all, ms', `${inMs(one)} / ${inMs(all)}`],
      ['llvm-gsymutil, 1 thread, peak memory, MB', one.peakMb.toFixed(0)],
      ['conversion, times that of llvm-gsymutil with 1 thread (aim: 2)', ratio.toFixed(2)],
    );
  }
  return rows;
}

function lookUpRows(
  program: string,
  symbolFile: string,
  folder: string,
  rivals: readonly Symbolizer[],
): Row[] {
  const first = join(folder, 'address');
  const once = join(folder, 'addresses');
  const again = join(folder, 'addresses-again');
  const lines = randomAddresses(program);
  writeFileSync(first, lines.slice(0, lines.indexOf('\n') + 1));
  writeFileSync(once, lines);
  writeFileSync(again, lines.repeat(REPEATS));
  const tools = [EVERFLAME_LOOKUP, ...rivals];
  const source = (tool: Symbolizer) => (tool === EVERFLAME_LOOKUP ? symbolFile : program);
  const commands = (file: string) => tools.map((tool) => tool.lookUp(source(tool), file));
  const coldest = runInTurns(commands(first), ROUNDS);
  const cold = runInTurns(commands(once), ROUNDS);
  const longer = runInTurns(commands(again), LONG_ROUNDS);
  const rates = tools.map((_, row) => furtherNs(cold[row], longer[row]));
  const rows: Row[] = tools.map(({ name }, row) => [
    `${name}: 1 / ${ADDRESSES} addresses, whole process, ms; each again, printed, ns of CPU`,
    `${inMs(coldest[row])} / ${inMs(cold[row])}; ${rates[row]?.toFixed(0)}`,
  ]);
  const own = timeOwnLookups(symbolFile, once);
  const crate = timeBlazesym(program, once);
  const fastest = Math.min(...rates.slice(1), crate ?? Infinity);
  rows.push(
    [`${ADDRESSES} addresses, times the fastest of the others (aim: below 1)`, timesFastest(cold)],
    ['everflame in one process: an address again / a new one, ns', inNs(own)],
    ['blazesym in one process: an address again, ns', crate?.toFixed(0) ?? 'no cargo here'],
    [
      'again, times as fast as the fastest of the others (aim: 10)',
      (fastest / own.againNs).toFixed(0),
    ],
  );
  if (versionOf('llvm-symbolizer') !== null) {
    const same = sameAnswers(program, symbolFile, once);
    rows.push(["answers that are llvm-symbolizer's, to the letter", `${same} of ${ADDRESSES}`]);
  }
  return rows;
}

/** Ours is the first. */
function timesFastest([ours, ...others]: readonly TimedRun[]): string {
  const fastest = Math.min(...others.map(({ wallMs }) => wallMs));
  return ((ours?.wallMs ?? Number.NaN) / fastest).toFixed(2);
}

function furtherNs(once: TimedRun | undefined, longer: TimedRun | undefined): number {
  if (once === undefined || longer === undefined) return Number.NaN;
  return ((longer.cpuMs - once.cpuMs) * 1e6) / (ADDRESSES * (REPEATS - 1));
}

/** Hexadecimal, one a line. */
function randomAddresses(program: string): string {
  const { address, size } = textSection(program);
  const random = createRandom(4);
  let lines = '';
  for (let i = 0; i < ADDRESSES; i++) {
    lines += `0x${(address + random.between(0, size - 1)).toString(16)}\n`;
  }
  return lines;
}

function inMs(run: TimedRun | undefined): string {
  return run === undefined ? '-' : `${run.wallMs.toFixed(0)} (${run.cpuMs.toFixed(0)})`;
}

function inNs({ againNs, newNs }: { againNs: number; newNs: number }): string {
  return `${againNs.toFixed(0)} / ${newNs.toFixed(0)}`;
}
