/**
 * What kind of thing a frame is and in which space its address lives. The numbers are stored and
 * travel in fg1 (docs/formats.md): never renumber, only append.
 */
export const FrameKind = {
  native: 0,
  kernel: 1,
  jit: 2,
  interpreted: 3,
  unknown: 4,
  label: 5,
} as const;
export type FrameKind = (typeof FrameKind)[keyof typeof FrameKind];

export const FRAME_KIND_NAMES = [
  'native',
  'kernel',
  'jit',
  'interpreted',
  'unknown',
  'label',
] as const satisfies readonly (keyof typeof FrameKind)[];

/** `none`: the writer named the frame, its address is no part of it. */
export const AddressSpace = { none: 0, elf: 1, file: 2 } as const;
export type AddressSpace = (typeof AddressSpace)[keyof typeof AddressSpace];

/** Mapping names by which a frame's kind travels in a pprof (design: "Where a frame is"). */
export const KERNEL_MAPPING = '[kernel]';
export const BPF_MAPPING = '[bpf]';
export const JIT_MAPPING = '[jit]';
export const ANON_MAPPING = '[anon]';

/** The function name of a frame that nobody could name, e.g. `[unknown: no mapping]`. */
export function unknownFrameName(reason: string): string {
  return `[unknown: ${reason}]`;
}

/** The reason in an `[unknown: reason]` name, or null for any other name. */
export function unknownReason(name: string): string | null {
  return name.startsWith('[unknown: ') && name.endsWith(']') ? name.slice(10, -1) : null;
}
