/** DWARF 2 to 5 in, code pieces out: functions, what is inlined into them, and their lines. */
import { EverflameError } from '../../profile/errors.ts';
import type { CodeSink } from '../code-piece.ts';
import { UnitType } from './dwarf-codes.ts';
import { DwarfFile } from './dwarf-file.ts';
import type { DwarfInput, DwarfReport, DwarfSections, SplitUnit } from './dwarf-input.ts';
import { EntryNames } from './entry-names.ts';
import { LineProgramReader, type LineTable } from './line-program.ts';
import { PieceWriter } from './piece-writer.ts';
import { RangeReader } from './range-reader.ts';
import { hasCode, openUnit, type Unit } from './unit.ts';
import { UnitScopes } from './unit-scopes.ts';
import { UnitWalk } from './unit-walk.ts';
import { WorkBudget } from './work-budget.ts';

/** What a damaged unit costs of the budget: an error is built. Most units are as long. */
const DAMAGED_UNIT_BYTES = 4_096;

/**
 * Reads all units. Damage costs the rest of the unit that it is in and is counted; it never throws
 * EverflameError. Where a unit says twice what an address is, the entry that comes last holds, as
 * the inner one does; of two units the first one holds.
 */
export function readDwarf(input: DwarfInput, sink: CodeSink): DwarfReport {
  return new DwarfReader(input, sink).read();
}

class DwarfReader {
  readonly #input: DwarfInput;
  readonly #sink: CodeSink;
  readonly #budget: WorkBudget;
  readonly #main: DwarfFile;
  /** The split file read last; a package is the same one for all its units. */
  #split: DwarfFile | null = null;
  /** What the budget has been told of. */
  readonly #splitBuffers = new WeakSet<ArrayBufferLike>();
  readonly #lines: LineProgramReader;
  readonly #names = new EntryNames();
  readonly #ranges: RangeReader;
  readonly #scopes = new UnitScopes();
  readonly #walk: UnitWalk;
  readonly #writer: PieceWriter;
  /** Those of units; the parts count the rest. */
  readonly #units = { units: 0, unitsWithoutSplit: 0, unitsDamaged: 0, unitsUnsupported: 0 };
  #firstProblem = '';

  constructor(input: DwarfInput, sink: CodeSink) {
    const { sections, supplementary } = input;
    const { texts } = sink;
    const isCode = (address: number) => input.isCode(address);
    this.#input = input;
    this.#sink = sink;
    this.#budget = new WorkBudget(sizeOf(sections) + sizeOf(supplementary));
    const other =
      supplementary === null ? null : new DwarfFile(supplementary, null, texts, this.#budget);
    this.#main = new DwarfFile(sections, other, texts, this.#budget);
    this.#lines = new LineProgramReader(sections, texts, isCode);
    this.#ranges = new RangeReader(isCode);
    this.#walk = new UnitWalk(this.#scopes, this.#names, this.#ranges);
    this.#writer = new PieceWriter(sink, this.#scopes, this.#budget);
  }

  read(): DwarfReport {
    const { starts, problem } = this.#main.units();
    for (let i = 0; i < starts.length; i++) {
      if (this.#attempt(() => this.#readUnit(starts[i] as number))) continue;
      this.#units.unitsDamaged += starts.length - i - 1;
      break;
    }
    if (problem !== '') {
      this.#units.unitsDamaged++;
      this.#firstProblem ||= problem;
    }
    const { missingSupplementary, damagedNames } = this.#names;
    const { damagedRanges, droppedRanges } = this.#ranges;
    const { functions, inlinedCalls } = this.#writer;
    const { damagedLines, droppedCalls } = this.#walk;
    const lines = { ...this.#lines.report };
    lines.damagedLines += damagedLines;
    const parts = [this.#ranges, this.#names, lines];
    const problems = [this.#firstProblem, ...parts.map(({ firstProblem }) => firstProblem)];
    return {
      ...this.#units,
      missingSupplementary,
      damagedNames,
      damagedRanges,
      droppedRanges,
      droppedCalls,
      functions,
      inlinedCalls,
      lines,
      firstProblem: problems.find((problem) => problem !== '') ?? '',
    };
  }

  /** False when the budget is used up, after which nothing can be read. */
  #attempt(read: () => void): boolean {
    try {
      read();
      return true;
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      if (error.kind === 'unsupported') this.#units.unitsUnsupported++;
      else this.#units.unitsDamaged++;
      this.#firstProblem ||= error.message;
      return error.kind !== 'too-large' && this.#budget.take(DAMAGED_UNIT_BYTES);
    }
  }

  #readUnit(start: number): void {
    const unit = this.#main.unit(start);
    if (!hasCode(unit)) return;
    this.#units.units++;
    this.#scopes.clear();
    const { splitId } = unit;
    let full: Unit | null = unit;
    let lines: LineTable | null = null;
    try {
      if (splitId !== null) full = this.#splitOf(unit, splitId);
      this.#walk.run(full ?? unit);
    } finally {
      // What was found before the damage is good.
      lines = this.#readLines(unit);
      this.#writer.writeUnit(lines);
    }
    // A unit of data alone, or of a module (-gmodules), has no functions that could be missing.
    if (full === null && mayHaveCode(unit, lines)) this.#units.unitsWithoutSplit++;
  }

  /** The unit with the functions of a skeleton; null where it is not here. */
  #splitOf(skeleton: Unit, splitId: bigint): Unit | null {
    const split = this.#input.findSplit(splitId);
    if (split === null) return null;
    const file = this.#splitFile(split);
    const unit = file.remember(openUnit(file, split.infoOffset, { split, skeleton }));
    if (unit.type === UnitType.splitCompile && unit.dwoId !== splitId) return null;
    // Programs compiled twice have units with the same id, but forged ones could be thousands.
    this.#budget.spend(unit.end - unit.start);
    return unit;
  }

  #splitFile({ sections, isPacked }: SplitUnit): DwarfFile {
    if (this.#split?.sections === sections) return this.#split;
    if (this.#split !== null) this.#names.forget(this.#split);
    for (const { buffer } of Object.values(sections) as Uint8Array[]) {
      if (!this.#splitBuffers.has(buffer)) this.#budget.add(buffer.byteLength);
      this.#splitBuffers.add(buffer);
    }
    this.#split = new DwarfFile(sections, null, this.#sink.texts, this.#budget, isPacked);
    return this.#split;
  }

  #readLines(unit: Unit): LineTable | null {
    if (unit.stmtList < 0) return null;
    const { stmtList: offset, compDir, strOffsetsBase } = unit;
    return this.#lines.read({ offset, compDir, strOffsetsBase });
  }
}

/** Whether a skeleton has code by what it says itself: its lines, else its range. */
function mayHaveCode({ stmtList, hasRange }: Unit, lines: LineTable | null): boolean {
  if (stmtList < 0) return hasRange;
  return lines === null || lines.count > 0;
}

function sizeOf(sections: DwarfSections | null): number {
  if (sections === null) return 0;
  let bytes = 0;
  for (const section of Object.values(sections)) bytes += section.length;
  return bytes;
}
