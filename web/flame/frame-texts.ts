/** The texts of a graph's frames, decoded when first asked for: most frames are never drawn. */

import type { FlameGraph } from '../../profile/flame/flame-graph.ts';
import { fitFullName, fitName, packageOf, shortenName } from '../../profile/flame/frame-names.ts';
import { formatPlace } from '../../profile/flame/frame-table.ts';
import { stringReader } from '../../profile/strings.ts';
import type { NameStyle } from './name-style.ts';

export interface FrameTexts {
  /** In full, demangled: what the server knows the frame by. */
  name: (frame: number) => string;
  /** Where there is room for all of it: in full, or as the compiler wrote it. */
  title: (frame: number) => string;
  /** Where there is little room; `fit` cuts it to what there is. */
  drawn: (frame: number) => string;
  fit: (name: string, characters: number) => string;
  /** `:214`, to stand after the name; empty where a frame is all lines of its function. */
  lineMark: (frame: number) => string;
  /** What tells it from the function's other frames in the answer: its line, say. */
  place: (frame: number) => string;
  systemName: (frame: number) => string;
  binary: (frame: number) => string;
  packageName: (frame: number) => string;
  file: (frame: number) => string;
  buildId: (frame: number) => string;
  reason: (frame: number) => string;
  /** Equal for equal frames in any answer: name, binary, kind (profile/flame/frame.ts); line. */
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

/** A name in a style; `systemName` is empty where it is the same as `name`. */
export function styleName(style: NameStyle, name: string, systemName: string): string {
  if (style === 'short') return shortenName(name);
  return style === 'raw' && systemName !== '' ? systemName : name;
}

export function fitterOf(style: NameStyle): FrameTexts['fit'] {
  return style === 'short' ? fitName : fitFullName;
}

export function createFrameTexts({ frames, strings }: FlameGraph, style: NameStyle): FrameTexts {
  const text = stringReader(strings);
  const column = (values: Uint32Array) => (frame: number) => text(values[frame] ?? 0);
  const name = column(frames.name);
  const systemName = column(frames.systemName);
  const binary = column(frames.binary);
  const lineMark = (frame: number) => (frames.line[frame] ? `:${frames.line[frame]}` : '');
  return {
    name,
    systemName,
    binary,
    title: style === 'raw' ? (frame) => styleName('raw', name(frame), systemName(frame)) : name,
    drawn: memoize((frame) => styleName(style, name(frame), systemName(frame))),
    fit: fitterOf(style),
    lineMark,
    place: (frame) =>
      formatPlace({
        file: text(frames.file[frame] ?? 0),
        line: frames.line[frame] ?? 0,
        addressLow: frames.address[frame * 2] ?? 0,
        addressHigh: frames.address[frame * 2 + 1] ?? 0,
      }),
    packageName: memoize((frame) => packageOf(name(frame))),
    file: column(frames.file),
    buildId: column(frames.buildId),
    reason: column(frames.reason),
    identity: memoize((frame) =>
      [
        systemName(frame) || name(frame),
        binary(frame),
        (frames.kind[frame] ?? 0) + lineMark(frame),
        ...(frames.line[frame] ? [text(frames.file[frame] ?? 0)] : []),
      ].join('\0'),
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
