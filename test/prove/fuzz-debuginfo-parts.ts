/**
 * Damage in one unit, table of abbreviations or line program costs what is read from it, and no
 * other answer. What depends on which is found by leaving each of them out.
 */
import { assert } from '../../profile/errors.ts';
import { NO_TEXT } from '../../symbolizer/code-piece.ts';
import { codeMap } from '../../symbolizer/debuginfo/convert-code-map.ts';
import { addLines } from '../../symbolizer/debuginfo/convert-lines.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { openSymbolFile, type SymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import type { FilePart, Place } from './fuzz-debuginfo-fields.ts';
import type { PlacedFile, Stretch } from './fuzz-debuginfo-mutations.ts';
import type { ObjectSource } from './fuzz-debuginfo-objects.ts';
import { convertTo } from './fuzz-debuginfo-oracle.ts';

/** No version of anything. */
const NO_VERSION = 0xfffe;
/** What the converter says when damage made everything refer to everything. */
const GAVE_UP = /too often|too large|too many/;

export class PartChecker {
  readonly #sources: readonly ObjectSource[];
  readonly #files: readonly PlacedFile[];
  readonly #addresses: readonly number[];
  readonly #target: string;
  /** By address: the whole answer. */
  #answers: string[] = [];
  /** By part: which answers change without it. */
  readonly #dependents = new Map<FilePart, Set<number>>();

  constructor(
    sources: readonly ObjectSource[],
    files: readonly PlacedFile[],
    addresses: readonly number[],
    target: string,
  ) {
    this.#sources = sources;
    this.#files = files;
    this.#addresses = addresses;
    this.#target = target;
  }

  /** Learns what depends on what. */
  async prepare(): Promise<void> {
    this.#answers = await this.#answersOf(this.#sources);
    for (const part of this.#parts()) {
      const answers = await this.#answersOf(this.#without(this.#sources, (one) => one === part));
      const changed = answers.flatMap((answer, row) => (answer === this.#answers[row] ? [] : row));
      this.#dependents.set(part, new Set(changed));
    }
  }

  /**
   * The symbol file of mutants must answer as before where nothing depends on what was touched,
   * which are stretches of each file, or null for anything. Throws otherwise.
   */
  async check(
    file: SymbolFile,
    mutants: readonly ObjectSource[],
    stretches: readonly (readonly Stretch[] | null)[],
    problems: readonly string[],
  ): Promise<void> {
    const touched = this.#touchedParts(stretches);
    if (touched === null || problems.some((problem) => GAVE_UP.test(problem))) return;
    const hit = new Set([...touched].flatMap((part) => [...this.#dependentsOf(part)]));
    const spared = this.#addresses.flatMap((_, row) => (hit.has(row) ? [] : row));
    const changed = spared.filter((row) => this.#answer(file, row) !== this.#answers[row]);
    if (changed.length === 0) return;
    // What was touched may claim code that is not its own. It does so without the others too.
    const isHit = (part: FilePart) => [...this.#dependentsOf(part)].some((row) => hit.has(row));
    const kept = new Set(
      this.#parts()
        .filter(isHit)
        .flatMap(({ versions }) => versions),
    );
    const claims = await claimsOf(this.#without(mutants, (_, version) => !kept.has(version)));
    for (const row of changed) {
      const address = this.#addresses[row] as number;
      const isClaimed = claims.some(({ start, end }) => start <= address && address < end);
      const answers = `${this.#answer(file, row)}, not ${this.#answers[row]}`;
      assert(isClaimed, `spared ${address.toString(16)}: ${answers}`);
    }
  }

  #parts(): FilePart[] {
    return this.#files.flatMap(({ places }) => places.parts);
  }

  #partsOf(row: number): FilePart[] {
    return (this.#files[row] as PlacedFile).places.parts;
  }

  #dependentsOf(part: FilePart): ReadonlySet<number> {
    return this.#dependents.get(part) as ReadonlySet<number>;
  }

  /** A forged id may be that of any unit. */
  #idsOf(row: number): Place[] {
    const { fields } = (this.#files[row] as PlacedFile).places;
    return ['unit.id', 'attribute.id'].flatMap((kind) => fields.get(kind) ?? []);
  }

  /** Null where something outside of all parts was touched. */
  #touchedParts(stretches: readonly (readonly Stretch[] | null)[]): Set<FilePart> | null {
    const touched = new Set<FilePart>();
    for (let row = 0; row < stretches.length; row++) {
      const ofFile = stretches[row];
      const parts = this.#partsOf(row);
      if (ofFile === null) return null;
      for (const { start, end } of ofFile ?? []) {
        if (this.#idsOf(row).some((id) => id.offset < end && start < id.offset + id.length)) {
          return null;
        }
        const hit = parts.filter((part) => part.start < end && start < part.end);
        const covered = hit.reduce(
          (sum, part) => sum + Math.min(end, part.end) - Math.max(start, part.start),
          0,
        );
        if (covered < end - start) return null;
        for (const part of hit) touched.add(part);
      }
    }
    return touched;
  }

  /** Copies in which some parts have a version that nobody reads. */
  #without(
    sources: readonly ObjectSource[],
    isLeftOut: (part: FilePart, version: number) => boolean,
  ): ObjectSource[] {
    return sources.map(({ kind, bytes }, row) => {
      const copy = Buffer.from(bytes);
      for (const part of this.#partsOf(row)) {
        for (const at of part.versions) {
          if (isLeftOut(part, at)) copy.writeUInt16LE(NO_VERSION, at);
        }
      }
      return { kind, bytes: copy };
    });
  }

  async #answersOf(sources: readonly ObjectSource[]): Promise<string[]> {
    await convertTo(this.#target, sources);
    const file = openSymbolFile(this.#target);
    try {
      return this.#addresses.map((_, row) => this.#answer(file, row));
    } finally {
      file.close();
    }
  }

  #answer(file: SymbolFile, row: number): string {
    const found = file.lookup(this.#addresses[row] as number, 'elf');
    if (found.kind === 'unknown') return '-';
    return found.lines.map(({ name, file, line }) => `${name} ${file}:${line}`).join(' < ');
  }
}

/** The code that debug information tells of. */
async function claimsOf(sources: readonly ObjectSource[]): Promise<Stretch[]> {
  const claims: Stretch[] = [];
  const opened = sources.map(({ kind, bytes }) => ({ kind, source: bytesSource(bytes) }));
  const programs = opened.filter(({ kind }) => kind === 'executable' || kind === 'debuginfo');
  const elfs = programs.map(({ source }) => openElfFile(source));
  const texts = { intern: () => NO_TEXT, internText: () => NO_TEXT };
  const add = ({ start, end }: Stretch) => claims.push({ start, end });
  await addLines({ texts, add }, elfs, opened, codeMap(elfs));
  return claims;
}
