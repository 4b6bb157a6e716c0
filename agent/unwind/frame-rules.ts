/**
 * Runs the instructions of frame entries (DWARF 5, 6.4.2): from which address on, by which rule the
 * caller's frame is found. Of all registers only three are followed: the canonical frame address
 * (CFA), the frame pointer and the return address.
 */
import { DwarfCursor } from '../../symbolizer/dwarf/dwarf-cursor.ts';
import { damaged, unsupported } from '../../symbolizer/dwarf/work-budget.ts';
import { Machine } from '../../symbolizer/elf/elf.ts';
import { type CfaExpression, CfaRule, readCfaExpression } from './frame-expressions.ts';
import type { CommonEntry, FrameEntry, FrameSection } from './frame-section.ts';

/** Where a register's value in the caller is. */
export const RegisterRule = {
  /** In the register itself. */
  same: 0,
  /** At CFA + offset. */
  atCfa: 1,
  /** At the frame pointer + offset. */
  atFramePointer: 2,
  /** Nowhere: for a return address, that there is no caller. */
  undefined: 3,
  /** Somewhere that is not followed. */
  unknown: 4,
} as const;

/** DWARF's numbers of registers, by machine (psABIs). */
export interface FrameRegisters {
  framePointer: number;
  stackPointer: number;
}

const REGISTERS = new Map<number, FrameRegisters>([
  [Machine.x86_64, { framePointer: 6, stackPointer: 7 }],
  [Machine.aarch64, { framePointer: 29, stackPointer: 31 }],
]);

/** Null for machines that are not unwound. */
export function registersOf(machine: number): FrameRegisters | null {
  return REGISTERS.get(machine) ?? null;
}

/** How the caller's frame is found; offsets in bytes. */
export interface FrameRules {
  cfa: number;
  /** From the register; an expression leaves it, for when there is a register again. */
  cfaOffset: number;
  /** From what the expression reads; for PLT the threshold. */
  expressionOffset: number;
  /** Added to what was read. */
  expressionPlus: number;
  framePointer: number;
  framePointerOffset: number;
  returnAddress: number;
  returnAddressOffset: number;
}

/** DW_CFA_* (7.24); those above 0x3f have an operand in their low six bits. */
const Op = {
  advanceLoc: 0x40,
  offset: 0x80,
  restore: 0xc0,
  nop: 0,
  setLoc: 1,
  advanceLoc1: 2,
  advanceLoc2: 3,
  advanceLoc4: 4,
  offsetExtended: 5,
  restoreExtended: 6,
  undefined: 7,
  sameValue: 8,
  register: 9,
  rememberState: 10,
  restoreState: 11,
  defCfa: 12,
  defCfaRegister: 13,
  defCfaOffset: 14,
  defCfaExpression: 15,
  expression: 16,
  offsetExtendedSf: 17,
  defCfaSf: 18,
  defCfaOffsetSf: 19,
  valOffset: 20,
  valOffsetSf: 21,
  valExpression: 22,
  negateRaState: 0x2d,
  gnuArgsSize: 0x2e,
  gnuNegativeOffset: 0x2f,
} as const;

/** Compilers nest a handful; each costs memory. */
const MAX_REMEMBERED = 64;

export type EmitRules = (start: number, end: number, rules: Readonly<FrameRules>) => void;

/** Of one section of one file. Common entries are run once each. */
export class FrameProgram {
  readonly #section: FrameSection;
  readonly #registers: FrameRegisters;
  readonly #initial = new Map<CommonEntry, FrameRules>();

  constructor(section: FrameSection, registers: FrameRegisters) {
    this.#section = section;
    this.#registers = registers;
  }

  /**
   * Emits the rules of an entry's addresses in ascending order. Throws EverflameError at damage;
   * what was emitted before holds.
   */
  run(entry: FrameEntry, emit: EmitRules): void {
    const initial = this.#initialOf(entry.common);
    const run = new Run(this.#section, this.#registers, entry.common, { ...initial }, initial);
    run.instructions(entry.instructions, entry.instructionsEnd, entry, emit);
  }

  #initialOf(common: CommonEntry): FrameRules {
    const known = this.#initial.get(common);
    if (known !== undefined) return known;
    const rules = startRules(common, this.#registers);
    const run = new Run(this.#section, this.#registers, common, rules, null);
    run.instructions(common.instructions, common.end, { start: 0, end: 0 }, () => undefined);
    this.#initial.set(common, run.rules);
    return run.rules;
  }
}

/**
 * Before any instruction: callees keep the frame pointer (psABI), and the return address is where a
 * call puts it.
 */
function startRules(common: CommonEntry, { stackPointer }: FrameRegisters): FrameRules {
  const isArm = stackPointer === 31;
  return {
    cfa: CfaRule.none,
    cfaOffset: 0,
    expressionOffset: 0,
    expressionPlus: 0,
    framePointer: RegisterRule.same,
    framePointerOffset: 0,
    returnAddress: isArm ? RegisterRule.same : RegisterRule.atCfa,
    returnAddressOffset: isArm ? 0 : common.dataAlign,
  };
}

class Run {
  rules: FrameRules;
  readonly #registers: FrameRegisters;
  readonly #common: CommonEntry;
  readonly #initial: FrameRules | null;
  readonly #cursor: DwarfCursor;
  readonly #remembered: FrameRules[] = [];
  #address = 0;

  constructor(
    { bytes }: FrameSection,
    registers: FrameRegisters,
    common: CommonEntry,
    rules: FrameRules,
    initial: FrameRules | null,
  ) {
    this.rules = rules;
    this.#registers = registers;
    this.#common = common;
    this.#initial = initial;
    this.#cursor = new DwarfCursor(bytes, 0, 0);
  }

  instructions(
    from: number,
    to: number,
    { start, end }: { start: number; end: number },
    emit: EmitRules,
  ): void {
    const cursor = this.#cursor;
    cursor.at = from;
    cursor.end = to;
    this.#address = start;
    while (cursor.at < to) {
      const op = cursor.u8();
      const advance = this.#advanceOf(op);
      if (advance === null) {
        this.#change(op);
        continue;
      }
      const next = this.#address + advance;
      if (next > end) throw damaged('a frame goes on behind its code', cursor.at);
      if (next > this.#address) emit(this.#address, next, this.rules);
      this.#address = next;
    }
    if (end > this.#address) emit(this.#address, end, this.rules);
  }

  /** Bytes of code that an instruction goes forward; null for one that changes a rule. */
  #advanceOf(op: number): number | null {
    const cursor = this.#cursor;
    const { codeAlign } = this.#common;
    if (op >> 6 === 1) return (op & 0x3f) * codeAlign;
    switch (op) {
      case Op.advanceLoc1:
        return cursor.u8() * codeAlign;
      case Op.advanceLoc2:
        return cursor.u16() * codeAlign;
      case Op.advanceLoc4:
        return cursor.u32() * codeAlign;
      default:
        return null;
    }
  }

  #change(op: number): void {
    const cursor = this.#cursor;
    const { dataAlign } = this.#common;
    const low = op & 0x3f;
    if (op >= Op.restore) {
      this.#restore(low);
      return;
    }
    if (op >= Op.offset) {
      this.#set(low, RegisterRule.atCfa, cursor.uleb() * dataAlign);
      return;
    }
    switch (op) {
      case Op.nop:
      case Op.negateRaState:
        return;
      case Op.offsetExtended:
        this.#set(cursor.uleb(), RegisterRule.atCfa, cursor.uleb() * dataAlign);
        return;
      case Op.offsetExtendedSf:
        this.#set(cursor.uleb(), RegisterRule.atCfa, cursor.sleb() * dataAlign);
        return;
      case Op.gnuNegativeOffset:
        this.#set(cursor.uleb(), RegisterRule.atCfa, -cursor.uleb() * dataAlign);
        return;
      case Op.restoreExtended:
        this.#restore(cursor.uleb());
        return;
      case Op.undefined:
        this.#set(cursor.uleb(), RegisterRule.undefined, 0);
        return;
      case Op.sameValue:
        this.#set(cursor.uleb(), RegisterRule.same, 0);
        return;
      case Op.register:
        this.#set(cursor.uleb(), RegisterRule.unknown, 0);
        cursor.skipLeb();
        return;
      case Op.valOffset:
      case Op.valOffsetSf:
        this.#set(cursor.uleb(), RegisterRule.unknown, 0);
        cursor.skipLeb();
        return;
      case Op.expression:
        this.#setExpression(cursor.uleb());
        return;
      case Op.valExpression:
        this.#set(cursor.uleb(), RegisterRule.unknown, 0);
        cursor.skip(cursor.uleb());
        return;
      case Op.rememberState:
        if (this.#remembered.length === MAX_REMEMBERED) {
          throw damaged(`more than ${MAX_REMEMBERED} states of a frame are remembered`, cursor.at);
        }
        this.#remembered.push({ ...this.rules });
        return;
      case Op.restoreState: {
        const remembered = this.#remembered.pop();
        if (remembered === undefined) throw damaged('no state was remembered', cursor.at);
        this.rules = remembered;
        return;
      }
      case Op.gnuArgsSize:
        cursor.skipLeb();
        return;
      default:
        this.#changeCfa(op);
    }
  }

  #changeCfa(op: number): void {
    const cursor = this.#cursor;
    const { rules } = this;
    const { dataAlign } = this.#common;
    switch (op) {
      case Op.defCfa:
        rules.cfa = this.#cfaOf(cursor.uleb());
        rules.cfaOffset = cursor.uleb();
        return;
      case Op.defCfaSf:
        rules.cfa = this.#cfaOf(cursor.uleb());
        rules.cfaOffset = cursor.sleb() * dataAlign;
        return;
      case Op.defCfaRegister:
        rules.cfa = this.#cfaOf(cursor.uleb());
        return;
      case Op.defCfaOffset:
        rules.cfaOffset = cursor.uleb();
        return;
      case Op.defCfaOffsetSf:
        rules.cfaOffset = cursor.sleb() * dataAlign;
        return;
      case Op.defCfaExpression: {
        const { rule, offset, plus } = this.#expression();
        rules.cfa = rule;
        if (rule === CfaRule.stackPointer || rule === CfaRule.framePointer)
          rules.cfaOffset = offset;
        else [rules.expressionOffset, rules.expressionPlus] = [offset, plus];
        return;
      }
      default:
        throw unsupported(`frame instruction 0x${op.toString(16)}`, cursor.at);
    }
  }

  #cfaOf(register: number): number {
    if (register === this.#registers.stackPointer) return CfaRule.stackPointer;
    return register === this.#registers.framePointer ? CfaRule.framePointer : CfaRule.unknown;
  }

  #expression(): CfaExpression {
    const cursor = this.#cursor;
    const length = cursor.uleb();
    const from = cursor.at;
    cursor.skip(length);
    return readCfaExpression(cursor.bytes.subarray(from, from + length), this.#registers);
  }

  /** Where a register is kept: GCC's realigned frames keep the frame pointer where it points. */
  #setExpression(register: number): void {
    const { rule, offset } = this.#expression();
    const isKept = rule === CfaRule.framePointer;
    this.#set(
      register,
      isKept ? RegisterRule.atFramePointer : RegisterRule.unknown,
      isKept ? offset : 0,
    );
  }

  #set(register: number, rule: number, offset: number): void {
    const { rules } = this;
    if (register === this.#registers.framePointer) {
      rules.framePointer = rule;
      rules.framePointerOffset = offset;
    } else if (register === this.#common.returnRegister) {
      rules.returnAddress = rule;
      rules.returnAddressOffset = offset;
    }
  }

  #restore(register: number): void {
    const initial = this.#initial;
    if (initial === null) throw damaged('a common entry restores a register', this.#cursor.at);
    if (register === this.#registers.framePointer) {
      this.#set(register, initial.framePointer, initial.framePointerOffset);
    } else {
      this.#set(register, initial.returnAddress, initial.returnAddressOffset);
    }
  }
}
