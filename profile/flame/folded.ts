/** Folded stacks, one `outer;inner value` per line: the exchange format of flame graph scripts. */
import { EverflameError } from '../errors.ts';
import { stringReader } from '../strings.ts';
import type { FlameGraph } from './flame-graph.ts';
import { TextBuilder } from './text-builder.ts';

export interface FoldedLine {
  /** Root first. */
  stack: string[];
  value: number;
}

/** The frame under which weight of left-out children stands. */
export const FOLDED_TRUNCATED = '[truncated]';

/**
 * One line per node with weight of its own, in the graph's unit. Frames that have a line are
 * `name file:line`. A `;` or line break in a name becomes `:` or a space, since the format has no
 * escapes; a side A is not written.
 */
export function formatFolded(graph: FlameGraph): string {
  const text = stringReader(graph.strings);
  const names: (string | undefined)[] = [];
  const nameOf = (frame: number): string => {
    const line = graph.frames.line[frame] as number;
    const place = line === 0 ? '' : ` ${text(graph.frames.file[frame] as number)}:${line}`;
    names[frame] ??= `${text(graph.frames.name[frame] as number)}${place}`
      .replaceAll(';', ':')
      .replace(/[\r\n]/g, ' ');
    return names[frame] ?? '';
  };
  // paths[d] is the text of the current path down to depth d, so each node adds only its name.
  const paths: string[] = [''];
  const lines = new TextBuilder();
  for (let node = 0; node < graph.nodeCount; node++) {
    const depth = graph.depth[node] as number;
    if (depth > 0) {
      const above = paths[depth - 1] as string;
      const name = nameOf(graph.frame[node] as number);
      paths[depth] = above === '' ? name : `${above};${name}`;
    }
    const path = paths[depth] as string;
    const self = (graph.self[node] as number) * graph.multiplier;
    const folded = (graph.folded[node] as number) * graph.multiplier;
    if (self > 0) lines.add(`${path || '[root]'} ${self}\n`);
    if (folded > 0) lines.add(`${path === '' ? '' : `${path};`}${FOLDED_TRUNCATED} ${folded}\n`);
  }
  return lines.text();
}

/** Reads folded lines; blank lines are skipped. The value is the text after the last space. */
export function parseFolded(text: string): FoldedLine[] {
  const lines: FoldedLine[] = [];
  let position = 0;
  for (const line of text.split('\n')) {
    const trimmed = line.trim();
    if (trimmed !== '') lines.push(parseLine(trimmed, position));
    position += line.length + 1;
  }
  return lines;
}

function parseLine(line: string, position: number): FoldedLine {
  const space = line.lastIndexOf(' ');
  const digits = line.slice(space + 1);
  const value = Number(digits);
  if (space < 1 || digits === '' || !(value >= 0 && value < Number.POSITIVE_INFINITY)) {
    throw new EverflameError('invalid', `"${line.slice(0, 80)}" is not a folded stack`, {
      field: 'folded',
      position,
      remedy: 'Write the frames, outermost first, joined by ";", then a space and a value.',
    });
  }
  return { stack: line.slice(0, space).trim().split(';'), value };
}
