/**
 * Stubs of a procedure linkage table, by what they do: each jumps to what one slot of the global
 * offset table holds. The slots are decoded from the instructions, because linkers differ in the
 * order and the size of the stubs.
 */

export interface PltStub {
  /** Relative to the section. */
  start: number;
  end: number;
  /** The address of the slot. */
  slot: number;
}

/** Stubs of each machine begin at multiples of it, or of a multiple. */
const X86_UNIT = 8;
const X86_STUB_BYTES = 16;
const ARM_UNIT = 4;
const ARM_STUB_BYTES = 24;

/** x86-64: `jmp *slot(%rip)`, maybe with `endbr64` or a `bnd` prefix before it. */
export function decodeX86Stubs(bytes: Uint8Array, address: number): PltStub[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stubs: PltStub[] = [];
  for (let start = 0; start + 6 <= bytes.length; start += X86_UNIT) {
    let at = start;
    if (view.getUint32(at, true) === 0xfa1e0ff3) at += 4; // endbr64
    if (bytes[at] === 0xf2) at++; // bnd
    if (bytes[at] !== 0xff || bytes[at + 1] !== 0x25 || at + 6 > bytes.length) continue;
    const slot = address + at + 6 + view.getInt32(at + 2, true);
    stubs.push({ start, end: Math.min(start + X86_STUB_BYTES, bytes.length), slot });
  }
  return withoutOverlap(stubs);
}

/**
 * i386: `jmp *slot`, or `jmp *offset(%ebx)` where %ebx holds the address of the global offset
 * table, maybe with `endbr32` before it.
 */
export function decodeI386Stubs(bytes: Uint8Array, table: number): PltStub[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stubs: PltStub[] = [];
  for (let start = 0; start + 6 <= bytes.length; start += X86_UNIT) {
    const hasEndbr = view.getUint32(start, true) === 0xfb1e0ff3;
    const at = hasEndbr ? start + 4 : start;
    if (bytes[at] !== 0xff || at + 6 > bytes.length) continue;
    const isRelative = bytes[at + 1] === 0xa3;
    if (bytes[at + 1] !== 0x25 && !isRelative) continue;
    const value = view.getInt32(at + 2, true);
    const slot = (isRelative ? table + value : value) >>> 0;
    stubs.push({ start, end: Math.min(start + X86_STUB_BYTES, bytes.length), slot });
  }
  return withoutOverlap(stubs);
}

/** arm64: `adrp x16, page`, `ldr x17, [x16, offset]`, maybe with `bti c` before it. */
export function decodeArmStubs(bytes: Uint8Array, address: number): PltStub[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const stubs: PltStub[] = [];
  for (let at = 0; at + 8 <= bytes.length; at += ARM_UNIT) {
    const adrp = view.getUint32(at, true);
    const ldr = view.getUint32(at + 4, true);
    const isPair = (adrp & 0x9f00001f) >>> 0 === 0x90000010;
    if (!isPair || (ldr & 0xffc003ff) >>> 0 !== 0xf9400211) continue;
    // A signed page number of 21 bits: two low ones at bit 29, the others at bit 5.
    const pages = (((adrp << 8) >> 13) << 2) | ((adrp >>> 29) & 3);
    const page = Math.floor((address + at) / 4_096) + pages;
    const slot = page * 4_096 + ((ldr >>> 10) & 0xfff) * 8;
    const hasBti = at >= 4 && view.getUint32(at - 4, true) === 0xd503245f;
    const start = hasBti ? at - 4 : at;
    stubs.push({ start, end: Math.min(start + ARM_STUB_BYTES, bytes.length), slot });
  }
  return withoutOverlap(stubs);
}

/** A stub ends where the next one begins. */
function withoutOverlap(stubs: PltStub[]): PltStub[] {
  stubs.forEach((stub, index) => {
    stub.end = Math.min(stub.end, stubs[index + 1]?.start ?? stub.end);
  });
  return stubs;
}
