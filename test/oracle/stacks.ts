/** Stacks as lists of frames, and what makes two frames one; from the docs, on plain objects. */
import { basename } from 'node:path';
import type { Granularity } from '../../api/query/params.ts';
import type { Labels } from '../../profile/select/labels.ts';
import type { Selection, Store } from '../../store/store.ts';
import { stackText } from '../conformance/drawn-batch.ts';
import { parseFrame } from '../conformance/drawn-frame.ts';

export interface OracleFrame {
  /** As shown: of a frame without a name `binary+0xaddress`. */
  name: string;
  binary: string;
  file: string;
  line: number;
  /** Of a frame without a name, else null. */
  address: number | null;
  isLabel: boolean;
}

/** A stack of a group with its weight in the type's unit. */
export interface WeighedStack {
  group: Labels;
  /** Root first; inlined functions are frames of their own. */
  frames: OracleFrame[];
  weight: number;
}

export async function weighedStacks(
  store: Store,
  selection: Selection,
  by: readonly string[],
): Promise<WeighedStack[]> {
  const merged = await store.merge(selection, by);
  const snapshot = store.snapshot();
  return Array.from(merged.stack, (stack, row) => ({
    group: merged.groups[merged.group[row] as number] ?? {},
    frames: stackText(snapshot, stack).split(';').flatMap(framesOf),
    weight: (merged.value[row] as number) * merged.multiplier,
  }));
}

function framesOf(text: string): OracleFrame[] {
  const { binary: path, address, functions } = parseFrame(text);
  const binary = basename(path);
  if (address !== null) {
    const name = `${binary}+0x${address.toString(16)}`;
    return [{ name, binary, file: '', line: 0, address, isLabel: false }];
  }
  return functions.map((called) => ({ ...called, binary, address, isLabel: false }));
}

/** Frames of one node have one key. */
export function frameKey(frame: OracleFrame, granularity: Granularity): string {
  const { name, binary, file, line, address } = frame;
  if (frame.isLabel) return name;
  const key = address === null ? `${name} in ${binary}` : name;
  if (granularity === 'function' || address !== null) return key;
  return granularity === 'file' ? `${key} ${file}` : `${key} ${file}:${line}`;
}
