/**
 * Rules of frames as rows of eight bytes, which the BPF program follows (docs/formats.md, 7): u16
 * low half of the address, u8 op, u8 what is known of registers, then two 16-bit numbers in units
 * of eight bytes.
 */
import { Machine } from '../../symbolizer/elf/elf.ts';
import { CfaRule } from './frame-expressions.ts';
import { type FrameRules, RegisterRule } from './frame-rules.ts';

/** How the CFA is found, which is the caller's stack pointer. */
export const UnwindOp = {
  /** Nothing is known of this code: frame pointers may help. */
  none: 0,
  /** Stack pointer + a. */
  stackPointer: 1,
  /** Frame pointer + a. */
  framePointer: 2,
  /** Stack pointer + 8, + 8 more from byte a of each 16 on. */
  plt: 3,
  /** What lies at frame pointer + a. */
  atFramePointer: 4,
  /** What lies at stack pointer + the upper 11 bits of a, + the lower 5. */
  atStackPointer: 5,
  /** The kernel has put all registers on the stack. */
  signal: 6,
  /** Nobody called this code. */
  stop: 7,
  /** A rule is there, which is not followed. */
  unsupported: 8,
} as const;

/** Where the caller's frame pointer and the return address are. */
export const UnwindRegisters = {
  /** The frame pointer is the same; the return address where a call puts it. */
  same: 0,
  /** The frame pointer at CFA + b; on arm64 the return address behind it. */
  atCfa: 1,
  /** x86-64: the frame pointer at frame pointer + b. */
  atFramePointer: 2,
  /** The frame pointer is lost. */
  lost: 3,
  /** arm64: the frame pointer is the same, the return address at CFA + b. */
  returnAtCfa: 4,
} as const;

const UNIT = 8;
const PLUS_BITS = 5;
/** x86-64: a call pushes it. */
const X86_RETURN_OFFSET = -8;

export interface UnwindRow {
  op: number;
  registers: number;
  /** Signed for atFramePointer only. */
  a: number;
  b: number;
}

const UNSUPPORTED: UnwindRow = row(UnwindOp.unsupported);
const STOP: UnwindRow = row(UnwindOp.stop);
export const NONE: UnwindRow = row(UnwindOp.none);
export const SIGNAL: UnwindRow = row(UnwindOp.signal);

function row(op: number, a = 0, registers: number = UnwindRegisters.same, b = 0): UnwindRow {
  return { op, registers, a, b };
}

/** The row of rules; `unsupported` where the format has no place for them. */
export function rowOf(machine: number, rules: Readonly<FrameRules>): UnwindRow {
  if (rules.returnAddress === RegisterRule.undefined) return STOP;
  const frame = machine === Machine.aarch64 ? armRegisters(rules) : x86Registers(rules);
  const cfa = cfaOf(rules);
  if (frame === null || cfa === null) return UNSUPPORTED;
  return { ...cfa, ...frame };
}

function cfaOf(rules: Readonly<FrameRules>): Pick<UnwindRow, 'op' | 'a'> | null {
  const { cfa, cfaOffset, expressionOffset, expressionPlus } = rules;
  switch (cfa) {
    case CfaRule.stackPointer:
      return unsigned(UnwindOp.stackPointer, cfaOffset);
    case CfaRule.framePointer:
      return unsigned(UnwindOp.framePointer, cfaOffset);
    case CfaRule.plt:
      return { op: UnwindOp.plt, a: expressionOffset };
    case CfaRule.atFramePointer:
      return signed(UnwindOp.atFramePointer, expressionOffset);
    case CfaRule.atStackPointer:
      return atStackPointer(expressionOffset / UNIT, expressionPlus / UNIT);
    default:
      return null;
  }
}

function atStackPointer(place: number, plus: number) {
  const areWhole = Number.isInteger(place) && Number.isInteger(plus);
  const fit = place >= 0 && place < 2 ** 11 && plus >= 0 && plus < 2 ** PLUS_BITS;
  if (!areWhole || !fit) return null;
  return { op: UnwindOp.atStackPointer, a: (place << PLUS_BITS) | plus };
}

function unsigned(op: number, offset: number) {
  const a = offset / UNIT;
  return Number.isInteger(a) && a >= 0 && a < 2 ** 16 ? { op, a } : null;
}

function signed(op: number, offset: number) {
  const a = offset / UNIT;
  return isSigned16(a) ? { op, a } : null;
}

function isSigned16(value: number): boolean {
  return Number.isInteger(value) && value >= -(2 ** 15) && value < 2 ** 15;
}

type Registers = Pick<UnwindRow, 'registers' | 'b'>;

function x86Registers(rules: Readonly<FrameRules>): Registers | null {
  const { returnAddress, returnAddressOffset, framePointer, framePointerOffset } = rules;
  const isPushed =
    returnAddress === RegisterRule.atCfa && returnAddressOffset === X86_RETURN_OFFSET;
  if (!isPushed) return null;
  switch (framePointer) {
    case RegisterRule.same:
      return { registers: UnwindRegisters.same, b: 0 };
    case RegisterRule.atCfa:
      return placed(UnwindRegisters.atCfa, framePointerOffset);
    case RegisterRule.atFramePointer:
      return placed(UnwindRegisters.atFramePointer, framePointerOffset);
    default:
      return { registers: UnwindRegisters.lost, b: 0 };
  }
}

function armRegisters(rules: Readonly<FrameRules>): Registers | null {
  const { returnAddress, returnAddressOffset, framePointer, framePointerOffset } = rules;
  const isSame = framePointer === RegisterRule.same;
  if (returnAddress === RegisterRule.same) {
    return isSame ? { registers: UnwindRegisters.same, b: 0 } : null;
  }
  if (returnAddress !== RegisterRule.atCfa) return null;
  if (isSame) return placed(UnwindRegisters.returnAtCfa, returnAddressOffset);
  const isPair =
    framePointer === RegisterRule.atCfa && returnAddressOffset === framePointerOffset + UNIT;
  return isPair ? placed(UnwindRegisters.atCfa, framePointerOffset) : null;
}

function placed(registers: number, offset: number): Registers | null {
  const b = offset / UNIT;
  return isSigned16(b) ? { registers, b } : null;
}
