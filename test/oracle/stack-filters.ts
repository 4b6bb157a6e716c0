/** The filters of docs/query.md, section 1, one stack after the other. */
import type { Matcher } from '../../profile/select/selector.ts';
import { frameKey, type OracleFrame, type WeighedStack } from './stacks.ts';

interface Filter {
  action: string;
  field: string;
  op: string;
  value: string;
}

function parseFilter(text: string): Filter {
  const [, action = '', field = '', op = '', value = ''] =
    /^([a-z-]+):([A-Za-z0-9_.]+?)(!=|!~|=|~)(.*)$/s.exec(text) ?? [];
  return { action, field, op, value };
}

/** Filters on labels are matchers of the selection, wherever they stand. */
export function labelMatchers(filters: readonly string[]): Matcher[] {
  return filters
    .map(parseFilter)
    .filter(({ field }) => field.startsWith('label.'))
    .map(({ action, field, op, value }) => {
      const isShown = op.startsWith('!') !== (action === 'show');
      const name = field.slice('label.'.length);
      if (op.endsWith('=')) return { name, op: isShown ? '=' : '!=', value };
      return { name, op: isShown ? '=~' : '!~', value: `(?s:.*)(?:${value})(?s:.*)` };
    });
}

/** The stacks that are kept, with the frames that are left. */
export function filterStacks(
  stacks: readonly WeighedStack[],
  filters: readonly string[],
): WeighedStack[] {
  return stacks.flatMap((stack) => {
    let frames: OracleFrame[] | null = stack.frames;
    for (const filter of filters.map(parseFilter)) {
      if (frames !== null && !filter.field.startsWith('label.')) frames = apply(filter, frames);
    }
    return frames === null ? [] : [{ ...stack, frames }];
  });
}

/** Null where the stack is dropped. */
function apply(filter: Filter, frames: OracleFrame[]): OracleFrame[] | null {
  const first = frames.findIndex((frame) => matches(filter, frame));
  switch (filter.action) {
    case 'show':
      return first < 0 ? null : frames;
    case 'hide':
      return first < 0 ? frames : null;
    case 'hide-frames':
      return frames.filter((frame) => !matches(filter, frame));
    case 'show-from':
      return first < 0 ? null : frames.slice(first);
    case 'pivot':
      return first < 0 ? null : frames.slice(0, first + 1).reverse();
    case 'collapse':
      return collapse(filter, frames);
    default:
      throw new Error(`${filter.action} is no action`);
  }
}

function collapse(filter: Filter, frames: readonly OracleFrame[]): OracleFrame[] {
  const left: OracleFrame[] = [];
  for (let at = 0; at < frames.length; at++) {
    const frame = frames[at] as OracleFrame;
    left.push(frame);
    if (!matches(filter, frame)) continue;
    const same = (other: OracleFrame): boolean =>
      frameKey(other, 'function') === frameKey(frame, 'function');
    at = frames.findLastIndex(same);
  }
  return left;
}

function matches({ field, op, value }: Filter, frame: OracleFrame): boolean {
  const texts: Record<string, string> = {
    function: frame.name,
    file: frame.file,
    binary: frame.binary,
  };
  const text = texts[field] ?? '';
  const isFound = op.endsWith('~') ? new RegExp(value).test(text) : text === value;
  return isFound !== op.startsWith('!');
}
