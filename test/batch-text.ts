/** A WriteBatch as lines of text, for tests: one per row of samples. */
import { AddressSpace, FRAME_KIND_NAMES } from '../profile/flame/frame.ts';
import { formatProfileType } from '../profile/select/profile-type.ts';
import type { WriteBatch } from '../store/store.ts';

const SPACE_NAMES = Object.keys(AddressSpace);

/** `type value leaf<-caller {labels}`; the type is its sample type, with `*` where time is derived. */
export function drawSamples(batch: WriteBatch): string[] {
  const { samples, stacks, types, labelsets } = batch;
  const stackRow = new Map<string, number>();
  for (let i = 0; i < stacks.ids.length / 2; i++) stackRow.set(idAt(stacks.ids, i), i);
  return Array.from({ length: samples.count }, (_, i) => {
    const row = types[samples.type[i] as number];
    const type = `${row?.type.sampleType}${row?.derived ? '*' : ''}`;
    const value =
      (BigInt(samples.value[i * 2 + 1] as number) << 32n) +
      BigInt((samples.value[i * 2] as number) >>> 0);
    const stack = stackRow.get(idAt(samples.stack, i));
    const frames = stack === undefined ? 'known' : drawStack(batch, stack);
    const labels = (labelsets[samples.labelset[i] as number] ?? []).map((label) =>
      'value' in label
        ? `${label.key}=${label.value}`
        : `${label.key}=${label.number}${label.unit}`,
    );
    return `${type} ${value} ${frames}${labels.length > 0 ? ` {${labels.join(' ')}}` : ''}`;
  });
}

export function drawTypes(batch: WriteBatch): string[] {
  return batch.types.map(({ type, derived }) => {
    const text = formatProfileType(type);
    return derived === null ? text : `${text} -> ${formatProfileType(derived)}`;
  });
}

function drawStack(batch: WriteBatch, row: number): string {
  const { offsets, locations } = batch.stacks;
  const frames = [];
  for (let i = offsets[row] as number; i < (offsets[row + 1] as number); i++) {
    frames.push(drawLocation(batch, locations[i] as number));
  }
  return frames.length === 0 ? '(empty)' : frames.join('<-');
}

/** `name@binary` with inlined names in front; `binary+elf:0xaddress` without a name. */
export function drawLocation(batch: WriteBatch, row: number): string {
  const { locations, functions } = batch;
  const text = (string: number | undefined) => textAt(batch, string as number);
  const binary = text(locations.binary[row]).split('/').at(-1);
  const kind = FRAME_KIND_NAMES[locations.kind[row] as number];
  const folded = locations.flags[row] === 1 ? ' folded' : '';
  const suffix = `${kind === 'native' ? '' : `(${kind})`}${folded}`;
  const space = locations.space[row] as number;
  if (space !== AddressSpace.none) {
    const high = BigInt(locations.address[row * 2 + 1] as number);
    const address = ((high << 32n) | BigInt(locations.address[row * 2] as number)).toString(16);
    return `${binary}+${SPACE_NAMES[space]}:0x${address}${suffix}`;
  }
  const names = [];
  for (
    let i = locations.lineOffsets[row] as number;
    i < (locations.lineOffsets[row + 1] as number);
    i++
  ) {
    const line = locations.lineNumber[i] as number;
    const name = text(functions.systemName[locations.lineFunction[i] as number]);
    names.push(line === 0 ? name : `${name}:${line}`);
  }
  return `${names.join('+')}@${binary}${suffix}`;
}

function textAt({ strings }: WriteBatch, row: number): string {
  const bytes = strings.bytes.subarray(strings.offsets[row], strings.offsets[row + 1]);
  return new TextDecoder().decode(bytes);
}

function idAt(ids: Int32Array, row: number): string {
  return `${ids[row * 2]},${ids[row * 2 + 1]}`;
}
