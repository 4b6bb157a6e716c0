/** Stacks as text: `a b c 3` is a, which calls b, which calls c, with weight 3. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FilterAction, parseFilters, splitFilters } from './filter.ts';
import { FrameKind } from './frame.ts';
import { FrameTable, namedFrame } from './frame-table.ts';
import { StackFilters } from './stack-filters.ts';

const BINARIES: Record<string, string> = { m: 'libm.so', k: '[kernel]' };

/** A frame `x:12@m` is x in line 12 of a file, in the binary m stands for. */
function readFrame(text: string) {
  const [, name = text, line, binary] = /^(.*?)(?::(\d+))?(?:@(\w))?$/.exec(text) ?? [];
  return {
    ...namedFrame(name, binary === 'k' ? FrameKind.kernel : FrameKind.native),
    binary: binary === undefined ? 'app' : (BINARIES[binary] ?? ''),
    file: line === undefined ? '' : `${name}.c`,
    line: Number(line ?? 0),
  };
}

function filtered(stack: string, filters: readonly string[]): string {
  const table = new FrameTable();
  const names = stack.split(' ').filter((name) => name !== '');
  const rows = Int32Array.from(names, (name) => table.intern(readFrame(name), name));
  const steps = splitFilters(parseFilters(filters)).frameFilters.map((filter) => ({
    action: filter.action,
    where: [filter],
  }));
  const all = new StackFilters(steps, table);
  const count = all.apply(rows, rows.length);
  return count < 0 ? 'dropped' : [...all.kept.subarray(0, count)].map((at) => names[at]).join(' ');
}

describe('one filter', () => {
  test.each([
    ['show:function=b', 'a b c', 'a b c'],
    ['show:function=b', 'a c', 'dropped'],
    ['show:function=b', '', 'dropped'],
    ['hide:function=b', 'a b c', 'dropped'],
    ['hide:function=b', 'a c', 'a c'],
    ['hide:function=b', '', ''],
    ['hide:function!=b', 'b b', 'b b'],
    ['hide-frames:function~^[bc]', 'a b c bd e', 'a e'],
    ['hide-frames:function~.', 'a b', ''],
    ['hide-frames:binary=libm.so', 'a b@m c', 'a c'],
    ['hide-frames:file!=', 'a b:1 c', 'a c'],
    ['hide-frames:binary~kernel', 'a b@k b', 'a b'],
    ['show-from:function=b', 'a b c b d', 'b c b d'],
    ['show-from:function=b', 'a c', 'dropped'],
    ['pivot:function=b', 'a b c b d', 'b a'],
    ['pivot:function=a', 'a b c', 'a'],
    ['pivot:function=b', '', 'dropped'],
    ['collapse:function=b', 'a b c b d', 'a b d'],
    ['collapse:function=b', 'a b c b', 'a b'],
    ['collapse:function=b', 'a b b b', 'a b'],
    ['collapse:function=b', 'a b a c a', 'a b a c a'],
    ['collapse:function~.', 'a b a b c b', 'a b'],
    ['collapse:function~.', 'a b c b a d c', 'a d c'],
    ['collapse:function~.', 'a b:1 b:2 b@m c', 'a b:1 b@m c'],
    ['collapse:file!=', 'a b:1 b c', 'a b:1 c'],
    ['collapse:file!=', 'a b b:1 c', 'a b b:1 c'],
  ])('%s: %s -> %s', (filter, stack, left) => {
    expect(filtered(stack, [filter])).toBe(left);
  });
});

test.each([
  [['show-from:function=b', 'hide:function=a'], 'a b c', 'b c'],
  [['hide:function=a', 'show-from:function=b'], 'a b c', 'dropped'],
  [['hide-frames:function=b', 'collapse:function=a'], 'a b a', 'a'],
  [['pivot:function=c', 'show-from:function=b'], 'a b c d', 'b a'],
  [['pivot:function=c', 'pivot:function=b'], 'a b c d', 'b c'],
  [[], 'a b', 'a b'],
])('in order: %s', (filters, stack, left) => {
  expect(filtered(stack, filters)).toBe(left);
});

test('a function is found by its system name, and denied only if both names differ', () => {
  const table = new FrameTable();
  const row = table.intern({ ...namedFrame('f(int)'), systemName: '_Z1fi' });
  const apply = (action: FilterAction, op: '=' | '!=', value: string) =>
    new StackFilters([{ action, where: [{ field: 'function', op, value }] }], table).apply(
      Int32Array.of(row),
      1,
    );
  expect(apply('show', '=', 'f(int)')).toBe(1);
  expect(apply('show', '=', '_Z1fi')).toBe(1);
  expect(apply('show', '!=', '_Z1fi')).toBe(-1);
  expect(apply('show', '!=', 'g')).toBe(1);
});

const names = fc.array(fc.constantFrom('a', 'b', 'c', 'd'), { maxLength: 9 });
const actions = fc.constantFrom('show', 'hide', 'hide-frames', 'show-from', 'pivot', 'collapse');
const conditions = fc
  .tuple(actions, fc.constantFrom('=', '!=', '~', '!~'), fc.constantFrom('a', 'b', 'c'))
  .map(([action, op, value]) => `${action}:function${op}${value}`);

test('what is left was there, nothing twice; show and hide share the stacks between them', () => {
  fc.assert(
    fc.property(names, fc.array(conditions, { maxLength: 4 }), (stack, filters) => {
      const left = filtered(stack.join(' '), filters);
      if (left !== 'dropped') {
        const rest: string[] = [...stack];
        for (const name of left.split(' ').filter((part) => part !== '')) {
          expect(rest).toContain(name);
          rest.splice(rest.indexOf(name), 1);
        }
      }
      const shown = filtered(stack.join(' '), [...filters, 'show:function=a']);
      const hidden = filtered(stack.join(' '), [...filters, 'hide:function=a']);
      expect([shown, hidden].filter((one) => one !== 'dropped')).toEqual(
        left === 'dropped' ? [] : [left],
      );
    }),
    { seed: 21, numRuns: 500 },
  );
});
