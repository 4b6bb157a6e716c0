/** The samples of one series in one window, row by row, as what profile/pprof-encode.ts takes. */
import { encodePprof, type PprofFunction, type PprofLocation } from '../profile/pprof-encode.ts';
import type { Frame, FrameMapping } from './frames.ts';

export interface ProfileTimes {
  startMs: number;
  lengthMs: number;
  /** ns of CPU time that a sample stands for. */
  periodNs: number;
}

export class SeriesProfile {
  /** Sampled events in all rows. */
  samples = 0;
  readonly #mappings: FrameMapping[] = [];
  readonly #mappingRows = new Map<FrameMapping, number>();
  readonly #functions: PprofFunction[] = [];
  readonly #locations: PprofLocation[] = [];
  readonly #locationRows = new Map<Frame, number>();
  /** Stack, as the text of its location rows -> row of `#counts` and `#stacks`. */
  readonly #stackRows = new Map<string, number>();
  readonly #stacks: number[][] = [];
  readonly #counts: number[] = [];

  /** Frames are leaf first. */
  add(frames: readonly Frame[], count: number): void {
    this.samples += count;
    const stack = frames.map((frame) => this.#locationRow(frame));
    const text = stack.join();
    const row = this.#stackRows.get(text);
    if (row !== undefined) {
      this.#counts[row] = (this.#counts[row] as number) + count;
      return;
    }
    this.#stackRows.set(text, this.#counts.length);
    this.#counts.push(count);
    this.#stacks.push(stack);
  }

  encode({ startMs, lengthMs, periodNs }: ProfileTimes): Uint8Array {
    const count = this.#counts.length;
    const offsets = new Uint32Array(count + 1);
    const values = new Float64Array(2 * count);
    this.#stacks.forEach((stack, row) => {
      offsets[row + 1] = (offsets[row] as number) + stack.length;
      const samples = this.#counts[row] as number;
      values[2 * row] = samples;
      values[2 * row + 1] = samples * periodNs;
    });
    return encodePprof({
      sampleTypes: [
        { type: 'samples', unit: 'count' },
        { type: 'cpu', unit: 'nanoseconds' },
      ],
      periodType: { type: 'cpu', unit: 'nanoseconds' },
      period: periodNs,
      timeNanos: BigInt(startMs) * 1_000_000n,
      durationNanos: BigInt(lengthMs) * 1_000_000n,
      comments: [],
      mappings: this.#mappings,
      functions: this.#functions,
      locations: this.#locations,
      samples: { count, offsets, locations: Uint32Array.from(this.#stacks.flat()), values },
    });
  }

  #locationRow(frame: Frame): number {
    const known = this.#locationRows.get(frame);
    if (known !== undefined) return known;
    const row = this.#locations.length;
    this.#locationRows.set(frame, row);
    const mapping = this.#mappingRow(frame.mapping);
    if (frame.name === '') {
      this.#locations.push({ mapping, address: BigInt(frame.address), lines: [] });
    } else {
      const name = { name: frame.name, systemName: frame.name, file: '', startLine: 0 };
      const line = { function: this.#functions.push(name) - 1, line: 0 };
      this.#locations.push({ mapping, address: 0n, lines: [line] });
    }
    return row;
  }

  #mappingRow(mapping: FrameMapping): number {
    let row = this.#mappingRows.get(mapping);
    if (row === undefined) {
      row = this.#mappings.push(mapping) - 1;
      this.#mappingRows.set(mapping, row);
    }
    return row;
  }
}
