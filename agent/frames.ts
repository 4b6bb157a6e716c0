/**
 * Frames as profiles will show them: named ones without an address, native ones as ELF addresses.
 * One object per frame, so that a profile finds its rows by identity.
 */
import { ANON_MAPPING, unknownFrameName } from '../profile/flame/frame.ts';

/** A row of a pprof's mapping table; addresses are the ELF file's. */
export interface FrameMapping {
  file: string;
  buildId: string;
  start: bigint;
  limit: bigint;
  offset: bigint;
}

export interface Frame {
  mapping: FrameMapping;
  /** Empty for a native frame, which the server names. */
  name: string;
  /** 0 for a named frame: no randomized address leaves the host. */
  address: number;
}

/** Names come from kernels and runtimes: bounded, but a JIT makes new ones for ever. */
const MAX_NAMED_FRAMES = 100_000;

export class NamedFrames {
  #count = 0;
  /** Reasons are few and fixed; put together each time, their names would be hashed each time. */
  readonly #unknownNames = new Map<string, string>();
  readonly #mappings = new Map<string, { mapping: FrameMapping; frames: Map<string, Frame> }>();

  get(file: string, name: string): Frame {
    let entry = this.#mappings.get(file);
    if (entry === undefined) {
      if (this.#count >= MAX_NAMED_FRAMES) this.#forget();
      const mapping = { file, buildId: '', start: 0n, limit: 0n, offset: 0n };
      entry = { mapping, frames: new Map() };
      this.#mappings.set(file, entry);
      this.#count++;
    }
    let frame = entry.frames.get(name);
    if (frame === undefined) {
      frame = { mapping: entry.mapping, name, address: 0 };
      entry.frames.set(name, frame);
      this.#count++;
      // Frames given out stay as they are; equal ones made from now on are other objects.
      if (this.#count >= MAX_NAMED_FRAMES) this.#forget();
    }
    return frame;
  }

  unknown(reason: string, file: string = ANON_MAPPING): Frame {
    let name = this.#unknownNames.get(reason);
    if (name === undefined) {
      name = unknownFrameName(reason);
      this.#unknownNames.set(reason, name);
    }
    return this.get(file, name);
  }

  #forget(): void {
    this.#mappings.clear();
    this.#count = 0;
  }
}
