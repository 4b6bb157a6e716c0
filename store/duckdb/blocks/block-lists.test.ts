import { expect, test } from 'vitest';
import { BlockLists } from './block-lists.ts';

test('what a list dropped goes when no reader can name it, older readers included', () => {
  const lists = new BlockLists({ version: 1, blocks: [] });
  const gone: string[] = [];
  const change = (version: number, name: string): void => {
    lists.publish({ version, blocks: [] });
    lists.commit(() => gone.push(name));
  };
  const old = lists.holdCurrent();
  change(2, 'dropped by 2');
  change(3, 'dropped by 3');
  // A read that began before 2 may see any version since.
  expect(lists.hold(2).version).toBe(2);
  lists.release(old);
  expect(gone).toEqual(['dropped by 2']);
  lists.release(2);
  expect(gone).toEqual(['dropped by 2', 'dropped by 3']);
  expect(lists.current.version).toBe(3);
});

test('a list whose transaction failed is as if it had never been', () => {
  const lists = new BlockLists({ version: 1, blocks: [] });
  lists.publish({ version: 2, blocks: [] });
  expect(lists.current.version).toBe(1);
  lists.withdraw();
  lists.publish({ version: 2, blocks: [] });
  lists.commit(null);
  expect(lists.current.version).toBe(2);
});
