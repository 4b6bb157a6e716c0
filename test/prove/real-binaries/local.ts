/** Programs and libraries that are on this machine anyway. */
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { runTool, versionOf } from '../../fixtures/debuginfo-tools.ts';

export interface RealBinary {
  what: string;
  path: string;
  /** The same code, with all that is known of it, for the tools that we compare with. */
  oracle: string;
  kind: 'native' | 'stripped Go';
}

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const CANDIDATES = [
  process.execPath,
  '/usr/bin/python3',
  `${LIBRARIES}/libc.so.6`,
  `${LIBRARIES}/libstdc++.so.6`,
  `${LIBRARIES}/libLLVM.so.19.1`,
];

export function localBinaries(folder: string, log: (line: string) => void): RealBinary[] {
  return [...CANDIDATES, ...rustCompiler()].flatMap((path) => {
    if (existsSync(path)) return [localBinary(path, folder)];
    log(`not here: ${path}`);
    return [];
  });
}

/**
 * The oracles read separate debug information if it is installed, by the build id or a link: a copy
 * without them has what the file itself has.
 */
export function localBinary(found: string, folder: string): RealBinary {
  const path = realpathSync(found);
  const oracle = join(folder, basename(path));
  const removed = ['-R', '.gnu_debuglink', '-R', '.note.gnu.build-id'];
  runTool('objcopy', [...removed, path, oracle]);
  return { what: basename(path), path, oracle, kind: 'native' };
}

function rustCompiler(): string[] {
  if (versionOf('rustc') === null) return [];
  const library = join(runTool('rustc', ['--print', 'sysroot']).toString().trim(), 'lib');
  const names = runTool('ls', [library]).toString().split('\n');
  return names.filter((name) => /^librustc_driver.*\.so$/.test(name)).map((n) => join(library, n));
}
