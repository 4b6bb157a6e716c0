/** The program's version, from package.json. */
import { readFileSync } from 'node:fs';
import { z } from 'zod';

/** package.json lies above cli/ in a checkout and above dist/cli/ in a build. */
export function readVersion(): string {
  const path = import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
  const text = readFileSync(new URL(path, import.meta.url), 'utf8');
  return z.object({ version: z.string() }).parse(JSON.parse(text)).version;
}
