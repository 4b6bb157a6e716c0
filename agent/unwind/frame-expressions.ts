/**
 * The expressions that compilers and linkers write for a frame's address (DWARF 5, 2.5): a few
 * shapes. The others are 0.05 % of a Debian's code (`npm run prove -- unwind-tables`).
 */
import { DwarfCursor } from '../../symbolizer/dwarf/dwarf-cursor.ts';
import type { FrameRegisters } from './frame-rules.ts';

/** How the canonical frame address is found. */
export const CfaRule = {
  /** No rule was given. */
  none: 0,
  /** Stack pointer + offset. */
  stackPointer: 1,
  /** Frame pointer + offset. */
  framePointer: 2,
  /** In a stub of the PLT, which pushes a number: from byte `offset` of its 16 on it has. */
  plt: 3,
  /** What lies at frame pointer + offset. */
  atFramePointer: 4,
  /** What lies at stack pointer + offset, + plus. */
  atStackPointer: 5,
  /** By a rule that is not followed. */
  unknown: 6,
} as const;

export interface CfaExpression {
  rule: number;
  offset: number;
  plus: number;
}

const UNKNOWN: CfaExpression = { rule: CfaRule.unknown, offset: 0, plus: 0 };
/** DW_OP_*. */
const Op = { deref: 0x06, plusUconst: 0x23, lit0: 0x30, breg0: 0x70, breg31: 0x8f } as const;
/** x86-64: rsp + 8 + ((rip & 15) >= n) << 3, n = 10 or 11. */
const PLT_BEFORE = [0x77, 0x08, 0x80, 0x00, 0x3f, 0x1a];
const PLT_AFTER = [0x2a, 0x33, 0x24, 0x22];
const LONGEST = 16;

/** Throws EverflameError where the bytes end within an operand. */
export function readCfaExpression(bytes: Uint8Array, registers: FrameRegisters): CfaExpression {
  if (bytes.length > LONGEST) return UNKNOWN;
  const threshold = pltThreshold(bytes);
  if (threshold !== null) return { rule: CfaRule.plt, offset: threshold, plus: 0 };
  const cursor = new DwarfCursor(bytes, 0, bytes.length);
  if (bytes.length === 0) return UNKNOWN;
  const op = cursor.u8();
  if (op < Op.breg0 || op > Op.breg31) return UNKNOWN;
  const register = op - Op.breg0;
  const offset = cursor.sleb();
  const isStack = register === registers.stackPointer;
  if (!isStack && register !== registers.framePointer) return UNKNOWN;
  if (cursor.at === bytes.length) {
    return { rule: isStack ? CfaRule.stackPointer : CfaRule.framePointer, offset, plus: 0 };
  }
  if (cursor.u8() !== Op.deref) return UNKNOWN;
  const rule = isStack ? CfaRule.atStackPointer : CfaRule.atFramePointer;
  if (cursor.at === bytes.length) return { rule, offset, plus: 0 };
  if (cursor.u8() !== Op.plusUconst) return UNKNOWN;
  const plus = cursor.uleb();
  return isStack && cursor.at === bytes.length ? { rule, offset, plus } : UNKNOWN;
}

function pltThreshold(bytes: Uint8Array): number | null {
  if (bytes.length !== PLT_BEFORE.length + 1 + PLT_AFTER.length) return null;
  const matches =
    PLT_BEFORE.every((byte, at) => bytes[at] === byte) &&
    PLT_AFTER.every((byte, at) => bytes[PLT_BEFORE.length + 1 + at] === byte);
  const threshold = (bytes[PLT_BEFORE.length] as number) - Op.lit0;
  return matches && threshold >= 0 && threshold < 16 ? threshold : null;
}
