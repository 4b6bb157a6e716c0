/**
 * Stand-ins for dictionary rows whose file is damaged: stored samples still refer to them. They
 * have random ids that nothing is found by, so that what they stood for is stored anew when it is
 * sent again, and they are seen as `[unknown: ...]`.
 */
import { randomBytes } from 'node:crypto';
import duckdb from '@duckdb/node-bindings';
import { AddressSpace, FrameKind, unknownFrameName } from '../../../profile/flame/frame.ts';
import type { WriteBatch } from '../../store.ts';
import { sqlText } from '../schema.ts';
import type { Dictionaries } from './dictionaries.ts';
import type { IdIndex } from './id-index.ts';

const LOST = unknownFrameName('its dictionary is damaged');

/** The location of stand-ins, for a store that is open. */
export function lostLocationBatch(): WriteBatch {
  const ids = (rows: number): Int32Array =>
    new Int32Array(Uint8Array.from(randomBytes(8 * rows)).buffer);
  const zero = Uint32Array.of(0);
  const bytes = Buffer.from(LOST);
  return {
    ...{ batchId: randomBytes(16).toString('hex'), agent: null, windows: [] },
    ...{ types: [], series: [], profiles: [], labelsets: [[]], labelsetIds: ids(1) },
    samples: {
      ...{ count: 0, type: new Uint16Array(), profile: zero, labelset: zero },
      ...{ tsMs: new Float64Array(), stack: new Int32Array(), value: new Int32Array() },
    },
    strings: { ids: ids(2), offsets: Uint32Array.of(0, 0, bytes.length), bytes },
    functions: {
      ids: ids(1),
      ...{ name: Uint32Array.of(1), systemName: Uint32Array.of(1), file: zero, startLine: zero },
    },
    locations: {
      ids: ids(1),
      ...{ binary: zero, buildId: zero, address: new Uint32Array(2) },
      space: Uint8Array.of(AddressSpace.none),
      kind: Uint8Array.of(FrameKind.unknown),
      flags: Uint8Array.of(0),
      lineOffsets: Uint32Array.of(0, 1),
      ...{ lineFunction: zero, lineNumber: zero, lineColumn: zero },
    },
    stacks: { ids: new Int32Array(), offsets: zero, locations: new Uint32Array() },
  };
}

export class LostRows {
  readonly #connection: duckdb.Connection;
  readonly #dictionaries: Dictionaries;
  #location: number | null = null;

  constructor(connection: duckdb.Connection, dictionaries: Dictionaries) {
    this.#connection = connection;
    this.#dictionaries = dictionaries;
  }

  /** Adds rows until there are `end` of them. */
  fillStrings(end: number): void {
    while (this.#dictionaries.strings.index.count < end) this.#addString(LOST);
  }

  async fillFunctions(end: number): Promise<void> {
    const { functions } = this.#dictionaries;
    if (functions.index.count >= end) return;
    const [name, empty] = [await this.#stringOf(LOST), await this.#stringOf('')];
    while (functions.index.count < end) this.#addFunction(name, empty);
  }

  async fillLocations(end: number): Promise<void> {
    const { locations } = this.#dictionaries;
    if (locations.index.count >= end) return;
    const [lost, empty] = [await this.#lostFunction(), await this.#stringOf('')];
    while (locations.index.count < end) this.#addLocation(lost, empty);
  }

  /** Stacks of one frame each, which is filled in later. */
  fillStackIds(end: number): void {
    const { index, offsets } = this.#dictionaries.stacks;
    while (index.count < end) {
      offsets.push((offsets.data[offsets.length - 1] as number) + 1);
      this.#assign(index);
    }
  }

  #assign(index: IdIndex): { ref: number; hash: bigint } {
    const id = randomBytes(8);
    const ref = index.count;
    const ids = Int32Array.of(id.readInt32LE(0), id.readInt32LE(4));
    index.committed.insertAll([{ ids, values: ref }]);
    index.loaded(ref + 1);
    return { ref, hash: id.readBigUInt64LE(0) };
  }

  #addString(text: string): { ref: number; hash: bigint } {
    const { strings } = this.#dictionaries;
    strings.bytes.append(Buffer.from(text));
    strings.offsets.push(strings.bytes.length);
    return this.#assign(strings.index);
  }

  #addFunction(name: number, empty: number): { ref: number; hash: bigint } {
    const { functions } = this.#dictionaries;
    functions.name.push(name);
    functions.systemName.push(name);
    functions.file.push(empty);
    functions.startLine.push(0);
    return this.#assign(functions.index);
  }

  #addLocation(lostFunction: number, empty: number): { ref: number; hash: bigint } {
    const { locations } = this.#dictionaries;
    locations.binary.push(empty);
    locations.buildId.push(empty);
    locations.space.push(AddressSpace.none);
    locations.kind.push(FrameKind.unknown);
    locations.flags.push(0);
    locations.address.append([0, 0]);
    locations.lineFunction.push(lostFunction);
    locations.lineNumber.push(0);
    locations.lineColumn.push(0);
    locations.lineOffsets.push(locations.lineFunction.length);
    return this.#assign(locations.index);
  }

  /** A string's ref; one that is not there is stored. */
  async #stringOf(text: string): Promise<number> {
    const { strings } = this.#dictionaries;
    const wanted = Buffer.from(text);
    for (let ref = 0; ref < strings.index.count; ref++) {
      const [start, end] = [strings.offsets.data[ref], strings.offsets.data[ref + 1]];
      const isSame = wanted.equals(strings.bytes.data.subarray(start, end));
      if (isSame && !strings.index.isGap(ref)) return ref;
    }
    const { ref, hash } = this.#addString(text);
    await this.#store(`strings VALUES (${ref}, ${hash}, ${sqlText(text)})`);
    return ref;
  }

  async #lostFunction(): Promise<number> {
    const { functions } = this.#dictionaries;
    const [name, empty] = [await this.#stringOf(LOST), await this.#stringOf('')];
    const names = functions.name.first(functions.index.count);
    let known = names.indexOf(name);
    while (known >= 0 && functions.index.isGap(known)) known = names.indexOf(name, known + 1);
    if (known >= 0) return known;
    const { ref, hash } = this.#addFunction(name, empty);
    await this.#store(`functions VALUES (${ref}, ${hash}, ${name}, ${name}, ${empty}, 0)`);
    return ref;
  }

  /** The location of all stand-ins of stacks. */
  async lostLocation(): Promise<number> {
    this.#location ??= await this.#makeLocation();
    return this.#location;
  }

  async #makeLocation(): Promise<number> {
    const [lost, empty] = [await this.#lostFunction(), await this.#stringOf('')];
    const { ref, hash } = this.#addLocation(lost, empty);
    await this.#store(
      `locations VALUES (${ref}, ${hash}, ${empty}, ${empty}, ${AddressSpace.none},
         ${FrameKind.unknown}, 0, 0, [${lost}], [0], [0])`,
    );
    return ref;
  }

  async #store(row: string): Promise<void> {
    await duckdb.query(this.#connection, `INSERT INTO ${row}`);
  }
}
