/** `everflame debuginfo lookup`: what the server would say of addresses, without a server. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import type { ElfAddress } from '../profile/units.ts';
import { createDemangler } from '../symbolizer/demangle/demangle.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { openSymbolFile, type SymbolFile } from '../symbolizer/symbol-file/symbol-file.ts';
import { SYMBOL_FILE_MAGIC } from '../symbolizer/symbol-file/symbol-file-layout.ts';
import type { Command, Output } from './command.ts';
import { namingFile } from './file-errors.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  names: flag.choice(['full', 'raw'], 'full', 'demangled, or as they stand in the file'),
  json: flag.switch('one JSON object for each address'),
};

export const debuginfoLookupCommand: Command = {
  name: 'debuginfo lookup',
  operands: 'FILE [ADDRESS...]',
  summary: 'print function, file and line of addresses, inlined calls first',
  flags: FLAGS,
  notes:
    'FILE is an ELF file or what `debuginfo convert` made of it; addresses are hexadecimal and those\n' +
    'of the file, not of a process. Without any, they are read from standard input, one a line.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const [path, ...addresses] = operands;
    if (path === undefined) throw new EverflameError('invalid', 'debuginfo lookup needs a file');
    const nameOf = values.names === 'raw' ? (name: string) => name : createDemangler();
    const write = values.json ? jsonLookup : textLookup;
    const file = await openAnyFile(path, output);
    try {
      const answer = (texts: readonly string[]): void => {
        let answers = '';
        try {
          for (const text of texts) answers += write(file, parseAddress(text), nameOf);
        } finally {
          // Also what came before a line that is no address.
          if (answers !== '') output.out(answers);
        }
      };
      if (addresses.length > 0) answer(addresses);
      else await forEachBatch(process.stdin, answer);
    } finally {
      file.close();
    }
    return 0;
  },
};

const ELF_MAGIC = 0x46_4c_45_7f;

/** A symbol file as it is; an ELF file through a symbol file that is gone when it is open. */
async function openAnyFile(path: string, output: Output): Promise<SymbolFile> {
  const magic = readMagic(path);
  if (magic === SYMBOL_FILE_MAGIC) return openMade(path);
  if (magic !== ELF_MAGIC) {
    throw new EverflameError('invalid', `${path} is neither an ELF file nor a symbol file`);
  }
  const { convertWithCompanions } = await import('./debuginfo-convert.ts');
  const directory = mkdtempSync(join(tmpdir(), 'everflame-lookup-'));
  try {
    const target = join(directory, 'symbols');
    await namingFile(path, () => convertWithCompanions(path, target, output.err));
    return openSymbolFile(target);
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function openMade(path: string): SymbolFile {
  try {
    return openSymbolFile(path);
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    const remedy = 'Make it again with `everflame debuginfo convert`.';
    throw new EverflameError(error.kind, error.message, { cause: error, remedy });
  }
}

/** The first four bytes; 0 for a file that has fewer. */
function readMagic(path: string): number {
  const source = openByteSource(path);
  try {
    return source.size < 4 ? 0 : Buffer.from(source.read(0, 4)).readUInt32LE(0);
  } finally {
    source.close();
  }
}

function parseAddress(text: string): ElfAddress {
  const address = /^(?:0x)?[0-9a-f]+$/i.test(text) ? Number.parseInt(text, 16) : Number.NaN;
  if (!Number.isSafeInteger(address)) {
    throw new EverflameError('invalid', `${text.slice(0, 80)} is not a hexadecimal address`);
  }
  return address as ElfAddress;
}

/** Two lines for each function, as addr2line and llvm-symbolizer have them, and an empty one. */
function textLookup(
  file: SymbolFile,
  address: ElfAddress,
  nameOf: (name: string) => string,
): string {
  const found = file.lookup(address, 'elf');
  if (found.kind === 'unknown') return `?? [${found.reason}]\n??:0\n\n`;
  let text = '';
  for (const { name, file: path, line } of found.lines) {
    text += `${name === '' ? '??' : nameOf(name)}\n${path === '' ? '??' : path}:${line}\n`;
  }
  return `${text}\n`;
}

function jsonLookup(
  file: SymbolFile,
  address: ElfAddress,
  nameOf: (name: string) => string,
): string {
  const found = file.lookup(address, 'elf');
  const answer =
    found.kind === 'unknown'
      ? { unknown: found.reason }
      : {
          lines: found.lines.map(({ name, ...place }) => ({ function: nameOf(name), ...place })),
        };
  return `${JSON.stringify({ address: `0x${address.toString(16)}`, ...answer })}\n`;
}

/** Passes on whole lines as they come in, so that a program that asks and waits gets answers. */
async function forEachBatch(
  input: NodeJS.ReadableStream,
  take: (lines: readonly string[]) => void,
): Promise<void> {
  let rest = '';
  input.setEncoding('utf8');
  for await (const chunk of input) {
    const lines = (rest + chunk).split('\n');
    rest = lines.pop() ?? '';
    const filled = lines.map((line) => line.trim()).filter((line) => line !== '');
    if (filled.length > 0) take(filled);
  }
  if (rest.trim() !== '') take([rest.trim()]);
}
