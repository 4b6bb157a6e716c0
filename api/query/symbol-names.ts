/** Functions and lines at native addresses, from the symbol files that there are by build id. */
import { AddressSpace } from '../../profile/flame/frame.ts';
import { MAX_OPEN_SYMBOL_FILES } from '../../profile/limits.ts';
import type { FileOffset } from '../../profile/units.ts';
import type {
  SymbolFile,
  SymbolLine,
  UnknownSymbolReason,
} from '../../symbolizer/symbol-file/symbol-file.ts';
import type {
  MissingSymbolFile,
  NoSymbolsReason,
  SymbolFileRow,
} from '../../symbolizer/symbolizer.ts';

/** The part of a symbol file that is used here. */
export type SymbolSource = Pick<SymbolFile, 'lookup' | 'elfAddress' | 'close'>;

/** Throws where the file cannot be read; symbolizer/symbol-file/symbol-file.ts has the real one. */
export type OpenSymbolFile = (path: string) => SymbolSource;

/** `elfAddress` is what a file offset comes to, where the symbol file's segments tell. */
export type NativeName =
  /** At least one line, each with a name; the innermost inlined call first. */
  | { kind: 'lines'; lines: readonly SymbolLine[] }
  | { kind: 'reason'; reason: string; elfAddress: number | null };

const REASONS: Record<UnknownSymbolReason, string> = {
  'no-symbols': 'no symbols in the file',
  unmapped: 'outside the file',
  'no-offsets': 'file offsets not known',
  'not-covered': 'not covered',
  stripped: 'stripped',
  'source-damaged': 'debug information damaged',
  'source-incomplete': 'debug information incomplete',
  damaged: 'symbol file damaged',
};
/** Why there is no symbol file of a build id of which something is known. */
const NO_FILE_REASONS: Record<NoSymbolsReason, string> = {
  waiting: 'debug information not converted yet',
  failed: 'conversion failed',
  evicted: 'debug information evicted',
  incomplete: 'debug information incomplete',
};
/** Addresses are kept as two halves; above 2^53 they are in no file. */
const MAX_ADDRESS_HIGH = 2 ** 21;

/** What is known of a build id's symbol file. */
export type SymbolRow = SymbolFileRow | MissingSymbolFile;

/** A name as its source code has it; symbolizer/demangle has the real one. */
export type Demangle = (name: string) => string;

export class SymbolNames {
  readonly #open: OpenSymbolFile;
  readonly demangle: Demangle;
  #rows = new Map<string, SymbolRow>();
  /** By build id, least recently used first; null is a file that could not be read. */
  readonly #files = new Map<string, SymbolSource | null>();

  constructor(open: OpenSymbolFile, demangle: Demangle) {
    this.#open = open;
    this.demangle = demangle;
  }

  /** Takes the new list and returns the build ids whose answers may differ now. */
  update(rows: readonly SymbolRow[]): Set<string> {
    const next = new Map(rows.map((row) => [row.buildId as string, row]));
    const changed = new Set<string>();
    for (const [buildId, row] of next) {
      if (!isSame(row, this.#rows.get(buildId))) changed.add(buildId);
    }
    for (const buildId of this.#rows.keys()) if (!next.has(buildId)) changed.add(buildId);
    for (const buildId of changed) this.#close(buildId);
    this.#rows = next;
    return changed;
  }

  nameOf(buildId: string, space: AddressSpace, low: number, high: number): NativeName {
    if (buildId === '') return unknown('no build id');
    const row = this.#rows.get(buildId);
    if (row === undefined) return unknown('no debug information');
    if ('missing' in row) return unknown(NO_FILE_REASONS[row.missing]);
    const file = this.#fileOf(buildId, row.path);
    if (file === null) return unknown(REASONS.damaged);
    if (high >= MAX_ADDRESS_HIGH) return unknown(REASONS.unmapped);
    const address = high * 2 ** 32 + low;
    const inFile = space === AddressSpace.file;
    const found = file.lookup(address, inFile ? 'file' : 'elf');
    if (found.kind === 'symbol') return { kind: 'lines', lines: namedLines(found.lines) };
    return unknown(REASONS[found.reason], inFile ? file.elfAddress(address as FileOffset) : null);
  }

  #fileOf(buildId: string, path: string): SymbolSource | null {
    let file = this.#files.get(buildId);
    if (file === undefined) {
      file = this.#tryOpen(path);
      for (const oldest of this.#files.keys()) {
        if (this.#files.size < MAX_OPEN_SYMBOL_FILES) break;
        this.#close(oldest);
      }
    } else {
      this.#files.delete(buildId);
    }
    this.#files.set(buildId, file);
    return file;
  }

  /** A file that cannot be read shows in every answer's quality, so the frames still count. */
  #tryOpen(path: string): SymbolSource | null {
    try {
      return this.#open(path);
    } catch {
      return null;
    }
  }

  #close(buildId: string): void {
    this.#files.get(buildId)?.close();
    this.#files.delete(buildId);
  }
}

function isSame(row: SymbolRow, old: SymbolRow | undefined): boolean {
  if (old === undefined) return false;
  if ('missing' in row) return 'missing' in old && old.missing === row.missing;
  return !('missing' in old) && old.generation === row.generation && old.path === row.path;
}

/** An inlined call that debug information gives no name is shown as a part of its caller. */
function namedLines(lines: readonly SymbolLine[]): readonly SymbolLine[] {
  return lines.every(({ name }) => name !== '') ? lines : lines.filter(({ name }) => name !== '');
}

function unknown(reason: string, elfAddress: number | null = null): NativeName {
  return { kind: 'reason', reason, elfAddress };
}
