/** Our answers beside an oracle's, address by address; where they differ, why. */
import { posix } from 'node:path';
import type { ElfAddress } from '../../profile/units.ts';
import type { SymbolFile, SymbolLine } from '../../symbolizer/symbol-file/symbol-file.ts';
import type { ProgramFacts } from './program-facts.ts';

/** What is compared, and what is known of it from elsewhere. */
export interface Compared {
  /** For people. */
  what: string;
  facts: ProgramFacts;
  /** Whether ours is not the oracle's file, but the same code from another call of the compiler. */
  isRebuilt: boolean;
  /** Whether ours has lost its debug information to strip. */
  isStripped: boolean;
}

export interface Mismatch extends Compared {
  address: number;
  kind: string;
  theirs: readonly SymbolLine[];
  ours: readonly SymbolLine[];
}

export interface Comparison {
  addresses: number;
  agreed: number;
  /** How many addresses differ, by documented reason. */
  deviations: Map<string, number>;
  /** Those without a reason. */
  unexplained: Mismatch[];
}

/** A documented reason to differ (docs/symbolizer.md), and the mismatches that it explains. */
export interface Deviation {
  reason: string;
  explains(mismatch: Mismatch): boolean;
}

/** All else is the same, and by nm both names have the same address and size. */
export const OTHER_NAME = 'another name of the same code';

function ourStack(file: SymbolFile, address: number): readonly SymbolLine[] {
  const found = file.lookup(address as ElfAddress, 'elf');
  return found.kind === 'unknown' ? [] : found.lines;
}

export function compareAnswers(
  file: SymbolFile,
  addresses: readonly number[],
  theirs: readonly (readonly SymbolLine[])[],
  compared: Compared,
  deviations: readonly Deviation[],
): Comparison {
  const result: Comparison = {
    addresses: addresses.length,
    agreed: 0,
    deviations: new Map(),
    unexplained: [],
  };
  for (const [row, address] of addresses.entries()) {
    const stack = theirs[row] ?? [];
    const ours = ourStack(file, address);
    const kind = mismatchKind(stack, ours, compared.facts);
    if (kind === null && stack.at(-1)?.name === ours.at(-1)?.name) {
      result.agreed++;
      continue;
    }
    if (kind === null) {
      count(result.deviations, OTHER_NAME);
      continue;
    }
    const mismatch = { ...compared, address, kind, theirs: stack, ours };
    const known = deviations.find(({ explains }) => explains(mismatch));
    if (known === undefined) result.unexplained.push(mismatch);
    else count(result.deviations, known.reason);
  }
  return result;
}

function count(reasons: Map<string, number>, reason: string): void {
  reasons.set(reason, (reasons.get(reason) ?? 0) + 1);
}

/**
 * What differs first, from the code that was compiled inwards; null where all agrees.
 * Two names of the same code do not differ here.
 */
export function mismatchKind(
  theirs: readonly SymbolLine[],
  ours: readonly SymbolLine[],
  { areSame }: ProgramFacts,
): string | null {
  if (theirs.length === 0 && ours.length === 0) return null;
  if (ours.length === 0) return 'no answer';
  if (theirs.length === 0) return 'an answer of ours only';
  const [outer, ourOuter] = [theirs.at(-1), ours.at(-1)];
  if (!areSame(outer?.name ?? '', ourOuter?.name ?? '')) return 'function';
  if (theirs.length !== ours.length) return 'inlined calls';
  for (const [row, line] of theirs.entries()) {
    const own = ours[row] as SymbolLine;
    if (row < theirs.length - 1 && line.name !== own.name) return 'name of an inlined function';
    const where = row === 0 ? '' : ' of a call';
    if (normalize(line.file) !== normalize(own.file)) return `file${where}`;
    if (line.line !== own.line) return `line${where}`;
  }
  return null;
}

function normalize(path: string): string {
  return path === '' ? '' : posix.normalize(path);
}

export function describeMismatch({ what, address, kind, theirs, ours }: Mismatch): string {
  const draw = (stack: readonly SymbolLine[]): string =>
    stack.map(({ name, file, line }) => `    ${name} ${file}:${line}\n`).join('');
  const place = `${what} 0x${address.toString(16)}`;
  return `${place}: ${kind}\n  theirs\n${draw(theirs)}  ours\n${draw(ours)}`;
}
