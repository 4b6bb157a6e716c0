/** Batches and answers as text, for tests of stores: stacks are drawn root first, `main;work 5`. */
import { type DictionarySnapshot, refs, stringAt } from '../../profile/dictionary.ts';
import { assert } from '../../profile/errors.ts';
import { AddressSpace, FrameKind } from '../../profile/flame/frame.ts';
import type { Labels } from '../../profile/select/labels.ts';
import { parseProfileType } from '../../profile/select/profile-type.ts';
import { hashText, type IdKey, IdTag, startHash } from '../../profile/siphash.ts';
import type { EpochMs } from '../../profile/units.ts';
import type {
  AgentInfo,
  MergeColumns,
  SampleLabel,
  WindowRow,
  WriteBatch,
} from '../../store/store.ts';
import { type DrawnFrame, type DrawnFunction, formatFrame, parseFrame } from './drawn-frame.ts';

export interface DrawnProfile {
  labels: Labels;
  tsMs: number;
  durationMs?: number;
  period?: number;
  comments?: string[];
  seq?: number;
  /** `type` or `type=>derived type`, each with its own stacks. */
  types: Record<string, string>;
}

export interface DrawnBatch {
  id: string;
  profiles: DrawnProfile[];
  agent?: AgentInfo;
  windows?: WindowRow[];
  /** Stacks that the store has already are then left out, as a decoder does. */
  known?: DictionarySnapshot;
}

/** Rows in order of first use, with their ids. */
class Rows {
  readonly ids: number[] = [];
  readonly #numbers = new Map<string, number>();
  readonly #key: IdKey;
  readonly #tag: number;

  constructor(key: IdKey, tag: number) {
    this.#key = key;
    this.#tag = tag;
  }

  /** The row of a content, which `add` is called for when it is new. */
  of(content: string, add: () => void): number {
    const known = this.#numbers.get(content);
    if (known !== undefined) return known;
    add();
    const number = this.#numbers.size;
    this.#numbers.set(content, number);
    this.ids.push(...this.idOf(content));
    return number;
  }

  idOf(content: string): [low: number, high: number] {
    return hashText(startHash(this.#key, this.#tag), content);
  }
}

/**
 * A line of a profile is `[key=value,...] root;...;leaf value [@tsMs]`; a frame is a function of the
 * binary `app`, or two inlined ones, `outer+inner`, or what drawn-frame.ts tells beside.
 */
export function drawBatch(key: IdKey, drawn: DrawnBatch): WriteBatch {
  const builder = new Builder(key, drawn.known ?? null);
  for (const profile of drawn.profiles) builder.addProfile(profile);
  return builder.finish(drawn);
}

class Builder {
  readonly #known: DictionarySnapshot | null;
  readonly #strings: Rows;
  readonly #functions: Rows;
  readonly #locations: Rows;
  readonly #stacks: Rows;
  readonly #series: Rows;
  readonly #labelsets: Rows;
  readonly #texts: string[] = [];
  readonly #functionNames: number[] = [];
  readonly #functionFiles: number[] = [];
  readonly #binaries: number[] = [];
  readonly #buildIds: number[] = [];
  readonly #addresses: (number | null)[] = [];
  readonly #lineOffsets = [0];
  readonly #lineFunctions: number[] = [];
  readonly #lineNumbers: number[] = [];
  readonly #stackOffsets = [0];
  readonly #stackLocations: number[] = [];
  readonly #typeKeys: string[] = [];
  readonly #samples: { type: number; profile: number; tsMs: number; labelset: number }[] = [];
  readonly #stackIds: number[] = [];
  readonly #values: bigint[] = [];
  readonly #batch: Pick<WriteBatch, 'types' | 'series' | 'profiles' | 'labelsets'> = {
    types: [],
    series: [],
    profiles: [],
    labelsets: [[]],
  };

  constructor(key: IdKey, known: DictionarySnapshot | null) {
    this.#known = known;
    this.#strings = new Rows(key, IdTag.string);
    this.#functions = new Rows(key, IdTag.function);
    this.#locations = new Rows(key, IdTag.location);
    this.#stacks = new Rows(key, IdTag.stack);
    this.#series = new Rows(key, IdTag.series);
    this.#labelsets = new Rows(key, IdTag.labelset);
  }

  addProfile(drawn: DrawnProfile): void {
    const { labels, period = 0 } = drawn;
    const seriesText = JSON.stringify([period, Object.entries(labels).sort()]);
    const series = this.#series.of(seriesText, () =>
      this.#batch.series.push({ id: this.#series.idOf(seriesText), labels, period }),
    );
    const profile = this.#batch.profiles.length;
    const types = Object.keys(drawn.types).map((text) => this.#typeOf(text));
    this.#batch.profiles.push({
      series,
      tsMs: drawn.tsMs as EpochMs,
      durationMs: drawn.durationMs ?? 10_000,
      types,
      comments: drawn.comments ?? [],
      seq: drawn.seq ?? null,
    });
    for (const [at, stacks] of Object.values(drawn.types).entries()) {
      const type = types[at] as number;
      for (const line of stacks.split('\n')) {
        if (line.trim() !== '') this.#addSample(line.trim(), type, profile, drawn.tsMs);
      }
    }
  }

  #typeOf(text: string): number {
    const known = this.#typeKeys.indexOf(text);
    if (known >= 0) return known;
    const [type, derived] = text.split('=>');
    this.#batch.types.push({
      type: parseProfileType(type ?? ''),
      derived: derived === undefined ? null : parseProfileType(derived),
    });
    return this.#typeKeys.push(text) - 1;
  }

  #addSample(line: string, type: number, profile: number, tsMs: number): void {
    const match = /^(?:\[(.*?)\] )?(\S+) (\d+)(?: @(\d+))?$/.exec(line);
    assert(match !== null, `"${line}" is not a drawn stack`);
    const [, labels = '', stack = '', value = '', ownTime] = match;
    // Zero values have no row.
    if (BigInt(value) === 0n) return;
    this.#samples.push({
      type,
      profile,
      tsMs: ownTime === undefined ? tsMs : Number(ownTime),
      labelset: this.#labelsetOf(labels),
    });
    this.#values.push(BigInt(value));
    const id = this.#stacks.idOf(stack);
    this.#stackIds.push(...id);
    if ((this.#known?.knownStacks.get(...id) ?? -1) >= 0) return;
    this.#stacks.of(stack, () => {
      const frames = stack.split(';').reverse();
      this.#stackLocations.push(...frames.map((frame) => this.#locationOf(frame)));
      this.#stackOffsets.push(this.#stackLocations.length);
    });
  }

  #locationOf(frame: string): number {
    return this.#locations.of(frame, () => {
      const { binary, address, functions } = parseFrame(frame);
      this.#binaries.push(this.#stringOf(binary));
      this.#buildIds.push(this.#stringOf(address === null ? '' : `id-of-${binary}`));
      this.#addresses.push(address);
      for (const called of functions.reverse()) {
        this.#lineFunctions.push(this.#functionOf(called));
        this.#lineNumbers.push(called.line);
      }
      this.#lineOffsets.push(this.#lineFunctions.length);
    });
  }

  #functionOf({ name, file }: DrawnFunction): number {
    return this.#functions.of(JSON.stringify([name, file]), () => {
      this.#functionNames.push(this.#stringOf(name));
      this.#functionFiles.push(this.#stringOf(file));
    });
  }

  #stringOf(text: string): number {
    return this.#strings.of(text, () => this.#texts.push(text));
  }

  /** `key=value` or `key=12 unit`, comma-separated. */
  #labelsetOf(text: string): number {
    if (text === '') return 0;
    const labels: SampleLabel[] = text.split(',').map((label) => {
      const [key = '', value = ''] = label.split('=');
      const number = /^(\d+) (\w+)$/.exec(value);
      return number === null
        ? { key, value }
        : { key, number: number[1] ?? '', unit: number[2] ?? '' };
    });
    return this.#labelsets.of(text, () => this.#batch.labelsets.push(labels)) + 1;
  }

  finish(drawn: DrawnBatch): WriteBatch {
    const encoded = this.#texts.map((text) => new TextEncoder().encode(text));
    const offsets = [0];
    for (const bytes of encoded) offsets.push((offsets.at(-1) as number) + bytes.length);
    const functionCount = this.#functionNames.length;
    const locationCount = this.#lineOffsets.length - 1;
    const names = Uint32Array.from(this.#functionNames);
    return {
      batchId: drawn.id,
      agent: drawn.agent ?? null,
      windows: drawn.windows ?? [],
      ...this.#batch,
      labelsetIds: Int32Array.from([0, 0, ...this.#labelsets.ids]),
      samples: {
        count: this.#samples.length,
        type: Uint16Array.from(this.#samples, ({ type }) => type),
        profile: Uint32Array.from(this.#samples, ({ profile }) => profile),
        tsMs: Float64Array.from(this.#samples, ({ tsMs }) => tsMs),
        stack: Int32Array.from(this.#stackIds),
        labelset: Uint32Array.from(this.#samples, ({ labelset }) => labelset),
        value: new Int32Array(BigInt64Array.from(this.#values).buffer),
      },
      strings: {
        ids: Int32Array.from(this.#strings.ids),
        offsets: Uint32Array.from(offsets),
        bytes: Uint8Array.from(encoded.flatMap((bytes) => [...bytes])),
      },
      functions: {
        ids: Int32Array.from(this.#functions.ids),
        name: names,
        systemName: names,
        file: Uint32Array.from(this.#functionFiles),
        startLine: new Uint32Array(functionCount),
      },
      locations: {
        ids: Int32Array.from(this.#locations.ids),
        binary: Uint32Array.from(this.#binaries),
        buildId: Uint32Array.from(this.#buildIds),
        space: Uint8Array.from(this.#addresses, (address) =>
          address === null ? AddressSpace.none : AddressSpace.elf,
        ),
        kind: new Uint8Array(locationCount).fill(FrameKind.native),
        flags: new Uint8Array(locationCount),
        address: Uint32Array.from(this.#addresses.flatMap((address) => [address ?? 0, 0])),
        lineOffsets: Uint32Array.from(this.#lineOffsets),
        lineFunction: Uint32Array.from(this.#lineFunctions),
        lineNumber: Uint32Array.from(this.#lineNumbers),
        lineColumn: new Uint32Array(this.#lineFunctions.length),
      },
      stacks: {
        ids: Int32Array.from(this.#stacks.ids),
        offsets: Uint32Array.from(this.#stackOffsets),
        locations: Uint32Array.from(this.#stackLocations),
      },
    };
  }
}

/** A stack of a snapshot, as it was drawn. */
export function stackText(snapshot: DictionarySnapshot, stack: number): string {
  const { stacks } = snapshot;
  assert(stack < stacks.count, `stack ${stack} is not in the snapshot`);
  const frames: string[] = [];
  for (let at = stacks.offsets[stack] as number; at < (stacks.offsets[stack + 1] as number); at++) {
    frames.push(formatFrame(frameOf(snapshot, stacks.locations[at] as number)));
  }
  return frames.reverse().join(';');
}

function frameOf(snapshot: DictionarySnapshot, location: number): DrawnFrame {
  const { locations, functions, strings } = snapshot;
  const text = (ref: number | undefined): string => stringAt(strings, refs.string(ref as number));
  const lines: DrawnFunction[] = [];
  const end = locations.lineOffsets[location + 1] as number;
  for (let row = locations.lineOffsets[location] as number; row < end; row++) {
    const called = locations.lineFunction[row] as number;
    const line = locations.lineNumber[row] as number;
    lines.push({ name: text(functions.name[called]), file: text(functions.file[called]), line });
  }
  const isNamed = locations.space[location] === AddressSpace.none;
  return {
    binary: text(locations.binary[location]),
    address: isNamed ? null : (locations.address[2 * location] as number),
    functions: lines.reverse(),
  };
}

/** Lines of `{group} stack value`, sorted; values in the type's unit. */
export function mergeText(snapshot: DictionarySnapshot, merged: MergeColumns): string[] {
  const lines = Array.from(merged.stack, (stack, row) => {
    const labels = Object.entries(merged.groups[merged.group[row] as number] ?? {});
    const group = labels.map(([name, value]) => `${name}=${value}`).join(',');
    const value = (merged.value[row] as number) * merged.multiplier;
    return `${group === '' ? '' : `{${group}} `}${stackText(snapshot, stack)} ${value}`;
  });
  return lines.sort();
}
