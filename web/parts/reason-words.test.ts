import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readLeftOut } from '../symbols/left-out-words.ts';
import { wordsOfReason } from './reason-words.ts';

const DOC = readFileSync(new URL('../../docs/debuginfo.md', import.meta.url), 'utf8');

/** The names in the first column of the table with this head. */
function column(head: string): string[] {
  const table = DOC.slice(DOC.indexOf(`| ${head} |`)).split('\n\n')[0] ?? '';
  const rows = table.split('\n').slice(2);
  return rows.flatMap((row) =>
    [...(row.split('|')[1] ?? '').matchAll(/`([^`]+)`/g)].map(([, name = '']) => name),
  );
}

test.each([
  ['reason (`unsymbolized`)', 13],
  ['reason (`incomplete`)', 7],
])('every %s in the documentation has words here', (head, least) => {
  const reasons = column(head);
  expect(reasons.length).toBeGreaterThanOrEqual(least);
  for (const reason of reasons) expect([reason, wordsOfReason(reason).meaning]).not.toContain('');
});

test('so has everything that symbol files may lack', () => {
  const reasons = column('`left_out`');
  expect(reasons.length).toBeGreaterThan(19);
  const rows = readLeftOut(Object.fromEntries(reasons.map((reason) => [reason, 1])));
  for (const { reason, title } of rows) expect(title).not.toBe(reason.replaceAll('_', ' '));
});
