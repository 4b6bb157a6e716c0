/** A bound on the work that hostile debug information can ask for. */
import { EverflameError } from '../../profile/errors.ts';

/** Real programs stay below 1. */
const BYTES_PER_INPUT_BYTE = 8;
const MIN_BYTES = 2 ** 20;

/**
 * Bytes that may be read out of their turn. One pass over the units is free; what they refer to
 * (abbreviations, names, range lists, other entries, line rows) could be referred to again and
 * again, or overlap.
 */
export class WorkBudget {
  #left: number;

  constructor(inputBytes: number) {
    this.#left = MIN_BYTES + inputBytes * BYTES_PER_INPUT_BYTE;
  }

  /** More input has been found. */
  add(inputBytes: number): void {
    this.#left += inputBytes * BYTES_PER_INPUT_BYTE;
  }

  /** False when that much is no longer there. */
  take(bytes: number): boolean {
    this.#left -= bytes;
    return this.#left >= 0;
  }

  /** Throws EverflameError of kind `too-large` when that much is no longer there. */
  spend(bytes: number): void {
    if (!this.take(bytes)) {
      throw new EverflameError('too-large', 'the debug information refers to itself too often', {
        field: 'file',
        limit: `BYTES_PER_INPUT_BYTE = ${BYTES_PER_INPUT_BYTE}`,
        remedy: 'Send the file as its linker wrote it.',
      });
    }
  }
}

export function damaged(message: string, position: number): EverflameError {
  return new EverflameError('invalid', `${message} at 0x${position.toString(16)}`, {
    field: 'file',
    position,
    remedy: 'Send the file as its linker wrote it, complete.',
  });
}

export function unsupported(message: string, position: number): EverflameError {
  return new EverflameError('unsupported', `${message} at 0x${position.toString(16)}`, {
    field: 'file',
    position,
    remedy: 'DWARF 2 to 5 is read.',
  });
}
