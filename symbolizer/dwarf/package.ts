/**
 * Split debug information: finds units by their id in .dwp packages, `ar` archives of .dwo files
 * and single .dwo files. A package's sections stay in memory; of .dwo files only the last one asked
 * for does.
 */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_SPLIT_BYTES } from '../../profile/limits.ts';
import { arMembers, isArArchive } from '../elf/ar-archive.ts';
import type { ByteSource } from '../elf/byte-reader.ts';
import { prepareZstd } from '../elf/compressed-section.ts';
import {
  DebugSectionReader,
  findSection,
  findSections,
  readDwoSections,
} from '../elf/debug-sections.ts';
import { openElfFile } from '../elf/elf-file.ts';
import { findAbbreviation, readAbbreviations, Slot } from './abbreviations.ts';
import { Form } from './dwarf-codes.ts';
import type { DwarfSections, SplitUnit } from './dwarf-input.ts';
import { EntryCursor } from './entry-cursor.ts';
import { PackageIndex } from './package-index.ts';
import { readUnitHeader, type UnitHeader, unitEnd } from './unit-header.ts';
import { damaged, WorkBudget } from './work-budget.ts';

const INDEX = '.debug_cu_index';
const INFO = '.debug_info.dwo';

/** Where a unit of a .dwo file is. */
interface DwoUnit {
  file: ByteSource;
  /** The number of its section: gcc gives each type unit of DWARF 5 its own .debug_info.dwo. */
  infoSection: number;
  infoOffset: number;
}

/** Opens packages, archives and .dwo files. The sources must stay open. */
export async function openSplit(sources: readonly ByteSource[]): Promise<SplitFiles> {
  if (sources.length > 0) await prepareZstd();
  const files = new SplitFiles();
  for (const source of sources) files.add(source);
  return files;
}

export class SplitFiles {
  /** Files and members that could not be read. */
  filesDamaged = 0;
  /** Units asked for that were found, but not read because all together are too large. */
  unitsOverBudget = 0;
  /** The first damage met, for people; empty where there was none. */
  firstProblem = '';
  readonly #packages: PackageIndex[] = [];
  readonly #dwoUnits = new Map<bigint, DwoUnit>();
  #budgetBytes = MAX_SPLIT_BYTES;
  #last: { file: ByteSource; infoSection: number; sections: DwarfSections } | null = null;

  /** Units that can be found. */
  get units(): number {
    return this.#packages.reduce((sum, { units }) => sum + units, this.#dwoUnits.size);
  }

  /** Damage costs the file or the member that it is in. */
  add(source: ByteSource): void {
    let members = [source];
    this.#attempt(() => {
      if (isArArchive(source)) members = arMembers(source);
    });
    for (const member of members) this.#attempt(() => this.#addFile(member));
  }

  /** The unit with this id; null = it is not here, or cannot be read. */
  find(id: bigint): SplitUnit | null {
    for (const index of this.#packages) {
      const unit = index.find(id);
      if (unit !== null) return unit;
    }
    const dwo = this.#dwoUnits.get(id);
    if (dwo === undefined) return null;
    let sections: DwarfSections | null = null;
    this.#attempt(() => {
      sections = this.#read(dwo);
    });
    if (sections === null) return null;
    const { infoOffset } = dwo;
    const zero = { abbrevOffset: 0, strOffsetsOffset: 0, rnglistsOffset: 0 };
    return { sections, infoOffset, ...zero, isPacked: false };
  }

  #addFile(file: ByteSource): void {
    const elf = openElfFile(file);
    const reader = new DebugSectionReader(elf);
    if (findSection(elf, INDEX) >= 0) {
      const sections = readDwoSections(reader);
      this.#packages.push(new PackageIndex(reader.readPrepared(INDEX), sections));
      this.#spend(reader.bytesRead);
      return;
    }
    const infoSections = findSections(elf, INFO);
    const stored = infoSections.reduce((sum, row) => sum + (elf.sections[row]?.size ?? 0), 0);
    if (stored > file.size) throw damaged(`sections ${INFO} lie in each other`, 0);
    const abbrev = reader.readPrepared('.debug_abbrev.dwo');
    for (const infoSection of infoSections) {
      const info = reader.readPrepared(INFO, infoSection);
      for (const { id, infoOffset } of readIds(info, abbrev)) {
        if (!this.#dwoUnits.has(id)) this.#dwoUnits.set(id, { file, infoSection, infoOffset });
      }
    }
    this.#spend(reader.bytesRead);
  }

  /** Units of one file are asked for one after the other. */
  #read({ file, infoSection }: DwoUnit): DwarfSections {
    if (this.#last?.file === file && this.#last.infoSection === infoSection) {
      return this.#last.sections;
    }
    if (this.#budgetBytes <= 0) this.unitsOverBudget++;
    this.#spend(0);
    const reader = new DebugSectionReader(openElfFile(file));
    const sections = readDwoSections(reader, infoSection);
    this.#budgetBytes -= reader.bytesRead;
    this.#last = { file, infoSection, sections };
    return sections;
  }

  #spend(bytes: number): void {
    this.#budgetBytes -= bytes;
    if (this.#budgetBytes > 0) return;
    throw new EverflameError('too-large', 'the split files are too large together', {
      field: 'file',
      limit: `MAX_SPLIT_BYTES = ${MAX_SPLIT_BYTES}`,
      remedy: 'Build with less debug information (-g1).',
    });
  }

  #attempt(read: () => void): void {
    try {
      read();
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      this.filesDamaged++;
      if (this.firstProblem === '') this.firstProblem = error.message;
    }
  }
}

/** The ids of a .dwo file's units; type units have none. */
function readIds(info: Uint8Array, abbrev: Uint8Array): { id: bigint; infoOffset: number }[] {
  const view = new DataView(info.buffer, info.byteOffset, info.byteLength);
  const budget = new WorkBudget(abbrev.length);
  const ids: { id: bigint; infoOffset: number }[] = [];
  for (let start = 0; start < info.length; start = unitEnd(view, start)) {
    const header = readUnitHeader(view, start);
    const id = header.version >= 5 ? header.dwoId : readGnuId(view, info, abbrev, header, budget);
    if (id !== null) ids.push({ id, infoOffset: start });
  }
  return ids;
}

/** Before DWARF 5: DW_AT_GNU_dwo_id of the first entry. */
function readGnuId(
  view: DataView,
  info: Uint8Array,
  abbrev: Uint8Array,
  header: UnitHeader,
  budget: WorkBudget,
): bigint | null {
  const table = readAbbreviations(abbrev, header.abbrevOffset, header, budget);
  const cursor = new EntryCursor();
  cursor.enter(view, info, header.firstEntry, header.end, header);
  if (header.firstEntry === header.end) return null;
  const row = findAbbreviation(table, cursor.uleb());
  if (row < 0) throw damaged('a unit begins with an unknown abbreviation', header.firstEntry);
  cursor.readAttributes(table, row);
  const hasId = cursor.has(Slot.dwoId) && cursor.forms[Slot.dwoId] === Form.data8;
  return hasId ? cursor.dwoId() : null;
}
