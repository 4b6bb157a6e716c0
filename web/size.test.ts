import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { brotliCompressSync } from 'node:zlib';
import { expect, test } from 'vitest';

const ASSETS = join(import.meta.dirname, '../dist/web/assets');
const MAX_SCRIPT_KIB = 225;
const MAX_STYLE_KIB = 20;

function weighKib(extension: string): number {
  const files = readdirSync(ASSETS).filter((name) => name.endsWith(extension));
  const bytes = files.map((name) => brotliCompressSync(readFileSync(join(ASSETS, name))).length);
  return bytes.reduce((sum, value) => sum + value, 0) / 1024;
}

test('scripts and styles stay small', ({ skip }) => {
  if (!existsSync(ASSETS)) skip('dist/web is not built; npm run build:web');
  expect(weighKib('.js')).toBeLessThan(MAX_SCRIPT_KIB);
  expect(weighKib('.css')).toBeLessThan(MAX_STYLE_KIB);
});
