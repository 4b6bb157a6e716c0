/** The texts of a graph's frames, decoded when first asked for: most frames are never drawn. */

import type { FlameGraph } from '../../profile/flame-graph.ts';
import { stringReader } from '../../profile/strings.ts';
import { packageOf, shortenName } from './frame-names.ts';

export interface FrameTexts {
  name: (frame: number) => string;
  /** As drawn. */
  short: (frame: number) => string;
  systemName: (frame: number) => string;
  binary: (frame: number) => string;
  packageName: (frame: number) => string;
  file: (frame: number) => string;
  buildId: (frame: number) => string;
  reason: (frame: number) => string;
  /** Equal for equal frames in any answer (profile/frame.ts: name, binary, kind). */
  identity: (frame: number) => string;
}

function memoize(make: (index: number) => string): (index: number) => string {
  const known: (string | undefined)[] = [];
  return (index) => {
    const found = known[index];
    if (found !== undefined) return found;
    const made = make(index);
    known[index] = made;
    return made;
  };
}

export function createFrameTexts({ frames, strings }: FlameGraph): FrameTexts {
  const text = stringReader(strings);
  const column = (values: Uint32Array) => (frame: number) => text(values[frame] ?? 0);
  const name = column(frames.name);
  const systemName = column(frames.systemName);
  const binary = column(frames.binary);
  return {
    name,
    systemName,
    binary,
    short: memoize((frame) => shortenName(name(frame))),
    packageName: memoize((frame) => packageOf(name(frame))),
    file: column(frames.file),
    buildId: column(frames.buildId),
    reason: column(frames.reason),
    identity: memoize((frame) =>
      [systemName(frame) || name(frame), binary(frame), frames.kind[frame] ?? 0].join('\0'),
    ),
  };
}

/** Own weight per binary, in counts: what the palette and the legend go by. */
export function weighBinaries(frameSelf: Float64Array, texts: FrameTexts): Map<string, number> {
  const weights = new Map<string, number>();
  for (let frame = 0; frame < frameSelf.length; frame++) {
    const binary = texts.binary(frame);
    if (binary === '') continue;
    weights.set(binary, (weights.get(binary) ?? 0) + (frameSelf[frame] ?? 0));
  }
  return weights;
}
