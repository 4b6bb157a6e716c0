/** The program's version, from package.json. */
import { readFileSync } from 'node:fs';
import { assert } from '../profile/errors.ts';

/**
 * package.json lies above cli/ in a checkout and above dist/cli/ in a build. Checked by hand: the
 * agent asks for its version too, and a schema library is 9 MB that it needs for nothing else.
 */
export function readVersion(): string {
  const path = import.meta.url.endsWith('.ts') ? '../package.json' : '../../package.json';
  const json: unknown = JSON.parse(readFileSync(new URL(path, import.meta.url), 'utf8'));
  assert(typeof json === 'object' && json !== null && 'version' in json, 'a package has a version');
  assert(typeof json.version === 'string', 'a version is text');
  return json.version;
}
