import { expect, test } from 'vitest';
import { runMain } from './main.ts';

test.each([
  [['--upload-bytes', '1KB'], '--upload-bytes must be 0, or at least 65536'],
  [['--window', '10ms'], '--window must be from 1s to 10m'],
  [['--server', 'ftp://here'], '--server ftp://here: is not an http or https URL'],
  [['everything'], 'agent takes no operand: everything'],
])('agent %s: %s', async (argv, message) => {
  const lines: string[] = [];
  const output = { out: () => undefined, err: (line: string) => lines.push(line) };
  expect(await runMain(['agent', ...argv], {}, output)).toBe(2);
  expect(lines).toEqual([`everflame: ${message}`]);
});
