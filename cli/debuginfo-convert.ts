/** `everflame debuginfo convert`: what a server makes of a file, seen without one. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, join } from 'node:path';
import { EverflameError } from '../profile/errors.ts';
import type { Conversion } from '../symbolizer/debuginfo/convert.ts';
import { CONVERTER_LIMITS, convertInChild } from '../symbolizer/debuginfo/converter.ts';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../symbolizer/elf/elf.ts';
import { SymbolQuality } from '../symbolizer/symbol-file/symbol-quality.ts';
import type { Command } from './command.ts';
import { findCompanions } from './debuginfo-companions.ts';
import { namingFile } from './file-errors.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  output: flag.text(null, 'FILE', 'where the symbol file goes (default: beside, with .esf)'),
};

export const debuginfoConvertCommand: Command = {
  name: 'debuginfo convert',
  operands: 'FILE',
  summary: 'make the symbol file of an ELF file, as a server does, and say what is in it',
  flags: FLAGS,
  notes:
    'Takes along what lies beside it or under /usr/lib/debug: separate debug information, FILE.dwp,\n' +
    'its .dwo files, and what dwz moved to another file.',
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    const [path] = operands;
    if (path === undefined || operands.length > 1) {
      throw new EverflameError('invalid', 'debuginfo convert needs one ELF file');
    }
    const target = values.output ?? `${path}.esf`;
    const conversion = await namingFile(path, () =>
      convertWithCompanions(path, target, output.err),
    );
    output.out(`${target}: ${describeConversion(conversion)}\n`);
    return 0;
  },
};

/** Converts an ELF file and what belongs to it; says on `warn` what could not be read. */
export async function convertWithCompanions(
  path: string,
  target: string,
  warn: (line: string) => void,
): Promise<Conversion> {
  const scratch = mkdtempSync(join(tmpdir(), 'everflame-convert-'));
  try {
    const job = {
      buildId: readBuildId(path),
      target,
      sources: await findCompanions(path, scratch),
      knownSegments: [],
      symbolsOnly: false,
    };
    const conversion = await convertInChild(job, CONVERTER_LIMITS, new AbortController().signal);
    for (const problem of describeProblems(conversion)) warn(`${basename(path)}: ${problem}`);
    return conversion;
  } finally {
    rmSync(scratch, { recursive: true });
  }
}

function readBuildId(path: string) {
  const source = openByteSource(path);
  try {
    return readElfIdentity(source).buildId;
  } finally {
    source.close();
  }
}

const QUALITY_WORDS: Record<SymbolQuality, string> = {
  [SymbolQuality.none]: 'no symbols',
  [SymbolQuality.exported]: 'exported symbols only',
  [SymbolQuality.symbols]: 'symbols, no lines',
  [SymbolQuality.lines]: 'lines and inlined calls',
};

function describeConversion({ quality, ...facts }: Conversion): string {
  return [
    QUALITY_WORDS[quality],
    `${facts.functions} functions`,
    `${facts.inlinedCalls} inlined calls`,
    `${facts.namedBytes} bytes of code named`,
    `${facts.lineBytes} with lines`,
  ].join('; ');
}

function describeProblems(conversion: Conversion): string[] {
  const { missingSupplementary, missingSplit, problems, leftOut } = conversion;
  const lines = [...problems];
  if (missingSupplementary !== null) {
    const { file, buildId } = missingSupplementary;
    lines.push(`its dwz file is not here: ${file}, build id ${buildId}`);
  }
  if (missingSplit > 0) lines.push(`${missingSplit} units' .dwo files are not here`);
  const counts = Object.entries(leftOut).map(
    ([reason, count]) => `${count} ${reason.replaceAll('_', ' ')}`,
  );
  if (counts.length > 0) lines.push(`left out: ${counts.join(', ')}`);
  return lines;
}
