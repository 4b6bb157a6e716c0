/** What must hold of a symbol file that was made from a mutant. */
import { readFileSync } from 'node:fs';
import { assert, EverflameError } from '../../profile/errors.ts';
import type { BuildId } from '../../profile/units.ts';
import { type Conversion, convertSources } from '../../symbolizer/debuginfo/convert.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { ElfType, readElfIdentity, SectionFlag } from '../../symbolizer/elf/elf.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { openMiniDebuginfo } from '../../symbolizer/elf/mini-debuginfo.ts';
import { openSymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import { NONE } from '../../symbolizer/symbol-file/symbol-file-layout.ts';
import type { FuzzObject, ObjectSource } from './fuzz-debuginfo-objects.ts';
import type { Random } from './fuzz-debuginfo-random.ts';
import {
  checkCounts,
  checkLookups,
  type RawSymbolFile,
  readRaw,
} from './fuzz-debuginfo-symbol-file.ts';
import { findInvented } from './fuzz-debuginfo-texts.ts';

/** What the object itself answers. */
export interface Baseline {
  /** Its symbol file. */
  bytes: Buffer;
  addresses: number[];
  /** By address: the name in the symbol tables, or ''. */
  symbols: string[];
  /** By address: all names, innermost first. */
  names: string[];
  texts: Set<string>;
}

/** How the files of a mutant differ from the object's. */
export interface Damage {
  /** Only sections that symbols do not depend on. */
  sparesSymbols: boolean;
  /** Only line programs. */
  sparesNames: boolean;
}

export async function convertTo(
  target: string,
  sources: readonly ObjectSource[],
  symbolsOnly = false,
): Promise<Conversion> {
  const opened = sources.map(({ kind, bytes }) => ({ kind, source: bytesSource(bytes) }));
  const job = { buildId: buildIdOf(sources), target, knownSegments: [], symbolsOnly };
  return await convertSources(job, opened);
}

/** Of the first program that has one. */
function buildIdOf(sources: readonly ObjectSource[]): BuildId {
  let failure: unknown;
  for (const { kind, bytes } of sources) {
    if (kind !== 'executable' && kind !== 'debuginfo') continue;
    try {
      return readElfIdentity(bytesSource(bytes)).buildId;
    } catch (error) {
      failure = error;
    }
  }
  throw failure;
}

export async function takeBaseline(object: FuzzObject, target: string): Promise<Baseline> {
  await convertTo(target, object.sources, true);
  const bare = openSymbolFile(target);
  await convertTo(`${target}.lines`, object.sources);
  const whole = openSymbolFile(`${target}.lines`);
  const bytes = readFileSync(`${target}.lines`);
  const raw = readRaw(bytes);
  const addresses: number[] = [];
  for (const { start, end, name } of raw.ranges) {
    if (name !== NONE) addresses.push(start, Math.floor((start + end) / 2));
  }
  const symbols = addresses.map((address) => {
    const found = bare.lookup(address, 'elf');
    return found.kind === 'symbol' ? (found.lines.at(-1)?.name ?? '') : '';
  });
  const names = addresses.map((address) => namesOf(whole.lookup(address, 'elf')));
  const texts = new Set(raw.texts.map((text) => text.toString('latin1')));
  bare.close();
  whole.close();
  return { bytes, addresses, symbols, names, texts };
}

function namesOf(found: ReturnType<ReturnType<typeof openSymbolFile>['lookup']>): string {
  return found.kind === 'symbol' ? found.lines.map(({ name }) => name).join(' < ') : '';
}

/** Throws for a symbol file that says what it cannot know, or contradicts itself. */
export async function checkResult(
  target: string,
  conversion: Conversion,
  sources: readonly ObjectSource[],
  baseline: Baseline,
  damage: Damage,
  random: Random,
): Promise<void> {
  const raw = readRaw(readFileSync(target));
  checkCounts(raw);
  await checkCode(raw, sources);
  const invented = await findInvented(raw.texts, baseline.texts, sources);
  assert(invented === null, `nobody wrote "${invented?.toString('latin1')}"`);
  const file = openSymbolFile(target);
  try {
    for (const fact of ['quality', 'functions', 'inlinedCalls', 'lineBytes'] as const) {
      assert(file[fact] === conversion[fact], `${fact} ${file[fact]}, not ${conversion[fact]}`);
    }
    checkLookups(file, raw, random);
    if (!damage.sparesSymbols) return;
    baseline.addresses.forEach((address, row) => {
      const found = file.lookup(address, 'elf');
      const name = found.kind === 'symbol' ? found.lines.at(-1)?.name : '';
      const symbol = baseline.symbols[row];
      assert(symbol === '' || name === symbol, `${name} at ${address}, not the symbol ${symbol}`);
      const known = baseline.names[row] ?? '';
      // Where a name is in a file that is not here, it is not known that there is a function.
      if (!damage.sparesNames || known.split(' < ').includes('')) return;
      const names = namesOf(found);
      assert(names === known, `${names} at ${address}, not ${known}`);
    });
  } finally {
    file.close();
  }
}

/** Every range lies where a section says that there is code. */
async function checkCode(raw: RawSymbolFile, sources: readonly ObjectSource[]): Promise<void> {
  const outside = (spans: readonly Span[]) =>
    raw.ranges.find(({ start, end, name }) => name !== NONE && !isInside(start, end, spans));
  const spans = codeSpans(sources);
  if (outside(spans) === undefined) return;
  const range = outside([...spans, ...(await innerSpans(sources))]);
  assert(range === undefined, `code from ${range?.start} to ${range?.end}, where there is none`);
}

interface Span {
  start: number;
  end: number;
}

function isInside(start: number, end: number, spans: readonly Span[]): boolean {
  let at = start;
  for (let moved = true; moved && at < end; ) {
    moved = false;
    for (const span of spans) {
      if (span.start > at || span.end <= at) continue;
      at = span.end;
      moved = true;
    }
  }
  return at >= end;
}

function codeSpans(sources: readonly ObjectSource[]): Span[] {
  const spans: Span[] = [];
  for (const { kind, bytes } of sources) {
    if (kind !== 'executable' && kind !== 'debuginfo') continue;
    try {
      spans.push(...spansOf(openElfFile(bytesSource(bytes))));
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
    }
  }
  return spans;
}

function spansOf({ header, sections }: ReturnType<typeof openElfFile>): Span[] {
  const code = sections.filter(({ flags }) => (flags & SectionFlag.exec) !== 0);
  return code.map(({ address, offset, size }) => {
    const start = header.type === ElfType.rel ? offset : address;
    return { start, end: start + size };
  });
}

async function innerSpans(sources: readonly ObjectSource[]): Promise<Span[]> {
  const spans: Span[] = [];
  for (const { bytes } of sources) {
    try {
      const inner = await openMiniDebuginfo(openElfFile(bytesSource(bytes)));
      if (inner !== null) spans.push(...spansOf(inner));
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
    }
  }
  return spans;
}
