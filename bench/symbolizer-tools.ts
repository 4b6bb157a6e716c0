/** The symbolizers that are compared, each as its users start it. */
import { readFileSync } from 'node:fs';
import { EVERFLAME } from '../test/e2e/server-process.ts';
import { runTool, toolPath, versionOf } from '../test/fixtures/debuginfo-tools.ts';
import type { TimedCommand } from './timed-process.ts';

export interface Symbolizer {
  name: string;
  /** Prints function, file, line and inlined calls of each address of a file with one a line. */
  lookUp(program: string, addressFile: string): TimedCommand;
}

interface Rival extends Symbolizer {
  tool: string;
  install: string;
}

const RIVALS: readonly Rival[] = [
  {
    name: 'blazesym',
    tool: 'blazecli',
    install: 'cargo install blazecli',
    lookUp: (program, addressFile) => ({
      program: 'blazecli',
      args: ['symbolize', 'elf', '--path', program, ...readAddresses(addressFile)],
    }),
  },
  {
    name: 'llvm-symbolizer',
    tool: 'llvm-symbolizer',
    install: 'apt-get install llvm-19',
    lookUp: (program, input) => ({
      program: toolPath('llvm-symbolizer'),
      args: [`--obj=${program}`],
      input,
    }),
  },
  {
    name: 'addr2line',
    tool: 'addr2line',
    install: 'apt-get install binutils',
    lookUp: (program, input) => ({
      program: 'addr2line',
      args: ['-f', '-i', '-C', '-e', program],
      input,
    }),
  },
];

/** Those that are installed; how to get the others is printed. */
export function installedRivals(): Symbolizer[] {
  return RIVALS.filter(({ name, tool, install }) => {
    const version = versionOf(tool);
    console.log(version === null ? `no ${name} here: ${install}` : `${name}: ${version}`);
    return version !== null;
  });
}

/** Ours, from the symbol file. */
export const EVERFLAME_LOOKUP: Symbolizer = {
  name: 'everflame',
  lookUp: (symbolFile, input) => ({
    program: EVERFLAME,
    args: ['debuginfo', 'lookup', symbolFile],
    input,
  }),
};

/** The whole command: its own process and the converter's. */
export function convertCommand(program: string, target: string): TimedCommand {
  return { program: EVERFLAME, args: ['debuginfo', 'convert', '--output', target, program] };
}

/** 0 threads: as many as there are CPUs. */
export function gsymCommand(program: string, target: string, threads: number): TimedCommand {
  const args = ['--convert', program, '--quiet', `--num-threads=${threads}`, '-o', target];
  return { program: toolPath('llvm-gsymutil'), args };
}

/** How many addresses get the same names, files and lines from llvm-symbolizer and from us. */
export function sameAnswers(program: string, symbolFile: string, addressFile: string): number {
  const input = readFileSync(addressFile, 'utf8');
  const llvm = runTool('llvm-symbolizer', [`--obj=${program}`, '--no-demangle'], { input });
  const ours = runTool(EVERFLAME, ['debuginfo', 'lookup', '--names', 'raw', symbolFile], { input });
  const theirs = llvm.toString().replaceAll(/:\d+$/gm, '').split('\n\n');
  const own = ours.toString().split('\n\n');
  return own.filter((answer, row) => answer !== '' && answer === theirs[row]).length;
}

function readAddresses(addressFile: string): string[] {
  return readFileSync(addressFile, 'utf8').trim().split('\n');
}
