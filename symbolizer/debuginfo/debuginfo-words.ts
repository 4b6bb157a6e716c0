/** What is missing of a binary's symbols and what to do about it, in words for operators. */
import { isBuildId } from '../elf/build-id.ts';
import { SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type { QualityName } from '../symbolizer.ts';
import type { DebuginfoEntry } from './debuginfo-entry.ts';

const QUALITY_NAMES: readonly QualityName[] = ['none', 'exported', 'symbols', 'lines'];

export function qualityName(quality: SymbolQuality): QualityName {
  return QUALITY_NAMES[quality] as QualityName;
}

export function qualityOf(name: QualityName): SymbolQuality {
  return QUALITY_NAMES.indexOf(name) as SymbolQuality;
}

export interface Advice {
  problem: string;
  remedy: string;
}

const UPLOAD = 'Run `everflame debuginfo upload FILE` with';
const LACKS: Record<number, Advice> = {
  [SymbolQuality.none]: {
    problem: 'The file that is here names no functions.',
    remedy: `${UPLOAD} the unstripped program or its .debug file, or what refers to it (dwz).`,
  },
  [SymbolQuality.exported]: {
    problem: 'Only exported functions have names: the file is stripped.',
    remedy: `${UPLOAD} the unstripped program or its .debug file, or name a debuginfod server.`,
  },
  [SymbolQuality.symbols]: {
    problem: 'Functions have names, but no lines and no inlined calls.',
    remedy: `${UPLOAD} a build made with -g or its .debug file, or name a debuginfod server.`,
  },
};

/**
 * `looked`: where else it was looked for and what came of that, in whole sentences.
 * `isSupplementary`: others refer to it (dwz), so it need not name anything itself.
 */
export function adviseEntry(
  entry: DebuginfoEntry,
  looked: string,
  isSupplementary: boolean,
): Advice {
  if (isSupplementary && entry.sources.length > 0) return { problem: '', remedy: '' };
  if (entry.generation === 0) return adviseWithoutSymbols(entry, looked);
  const advice: Advice[] = [];
  if (entry.problem !== '') advice.push({ ...entry, problem: sentence(entry.problem) });
  const lack = lackOf(entry);
  if (lack !== undefined && !entry.isSymbolsOnly) {
    advice.push({ ...lack, problem: joined([lack.problem, looked]) });
  }
  advice.push(...adviseParts(entry));
  return {
    problem: joined(advice.map(({ problem }) => problem)),
    remedy: joined([...new Set(advice.map(({ remedy }) => remedy))]),
  };
}

/** Another build of a program without a build id, also the same unstripped, has another hash. */
function lackOf({ buildId, facts }: DebuginfoEntry): Advice | undefined {
  const lack = LACKS[facts.quality];
  if (lack === undefined || !hasNoBuildId(buildId)) return lack;
  return {
    problem: joined([lack.problem, NO_BUILD_ID]),
    remedy:
      `${UPLOAD} exactly this file, beside the debug file that its .gnu_debuglink names; or link ` +
      'with --build-id.',
  };
}

const NO_BUILD_ID = 'It has no build id: it is known by a hash of the file as it runs.';

function hasNoBuildId(buildId: string): boolean {
  return buildId.startsWith('htl:');
}

const NOT_A_BUILD_ID: Advice = {
  problem: 'It is no build id: no file has it, and none can be sent under it.',
  remedy: 'Let whoever writes these profiles give build ids in hexadecimal, as `file` prints them.',
};

/** Of a build id that nothing is known of but its name. */
export function adviseAbsent(buildId: string, looked: string): Advice {
  if (!isBuildId(buildId)) return NOT_A_BUILD_ID;
  const what = hasNoBuildId(buildId) ? 'exactly this file' : 'the program itself';
  const known = hasNoBuildId(buildId) ? NO_BUILD_ID : '';
  return {
    problem: joined(['Nobody has sent it.', known, looked]),
    remedy: `${UPLOAD} ${what}, or run the agent where it runs.`,
  };
}

/** Of an upload that was broken off: what is here waits for the rest. */
export function advisePart(receivedBytes: number, totalBytes: number, looked: string): Advice {
  const arrived = `${receivedBytes} of ${totalBytes} bytes have arrived, then its sender stopped.`;
  return {
    problem: joined([arrived, looked]),
    remedy: `It goes on when an agent that runs it asks again. Or run \`everflame debuginfo upload FILE\`.`,
  };
}

function adviseWithoutSymbols(entry: DebuginfoEntry, looked: string): Advice {
  if (entry.problem !== '') {
    return { problem: joined([sentence(entry.problem), looked]), remedy: entry.remedy };
  }
  const hasSplit = entry.pending.some(({ kind }) => kind === 'split');
  if (hasSplit) {
    return {
      problem: joined(['Its .dwo files are here, the program itself is not.', looked]),
      remedy: `${UPLOAD} the program.`,
    };
  }
  if (entry.pending.length + entry.sources.length > 0) return UNDER_WAY;
  return adviseAbsent(entry.buildId, looked);
}

/** Of what is being received or converted: nothing is wrong so far. */
export const UNDER_WAY: Advice = { problem: '', remedy: '' };

/** What a symbol file could say more if it had all that it refers to. */
function adviseParts(entry: DebuginfoEntry): Advice[] {
  const advice: Advice[] = [];
  const { supplementary, missingSplit, facts, problems, isSymbolsOnly } = entry;
  if (supplementary !== null && !supplementary.isUsed) {
    const { file, buildId } = supplementary;
    advice.push({
      problem: `Names and lines in ${file} (build id ${buildId}) are missing.`,
      remedy: `${UPLOAD} that file (dwz puts it under /usr/lib/debug/.dwz).`,
    });
  }
  if (missingSplit > 0) {
    advice.push({
      problem: `${missingSplit} units keep their functions in .dwo files that are not here.`,
      remedy: `${UPLOAD} the program where it was built, beside its .dwp or .dwo files.`,
    });
  }
  if (facts.skippedSymbols > 0) {
    const problem = `${facts.skippedSymbols} symbols could not be read.`;
    advice.push({ problem, remedy: `${UPLOAD} the file as its linker wrote it.` });
  }
  if (problems.length > 0) {
    const remedy = isSymbolsOnly
      ? 'Names are all there. For lines, send debug information in smaller pieces (.dwp, dwz).'
      : `${UPLOAD} a file that is not damaged.`;
    advice.push({ problem: joined(problems), remedy });
  }
  return advice;
}

/** A message as a sentence: with a capital, unless it begins with what is no word. */
function sentence(message: string): string {
  return message.replace(/^[a-z](?=[a-z]*[ '])/, (letter) => letter.toUpperCase());
}

function joined(sentences: readonly string[]): string {
  return sentences
    .filter((sentence) => sentence !== '')
    .map((sentence) => (/[.!?]$/.test(sentence) ? sentence : `${sentence}.`))
    .join(' ');
}
