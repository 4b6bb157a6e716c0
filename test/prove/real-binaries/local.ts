/** Programs and libraries that are on this machine anyway. */
import { existsSync, realpathSync } from 'node:fs';
import { basename, join } from 'node:path';
import { openByteSource } from '../../../symbolizer/elf/byte-reader.ts';
import { readElfIdentity } from '../../../symbolizer/elf/elf.ts';
import { missingTools, runTool, versionOf } from '../../fixtures/debuginfo-tools.ts';

export interface RealBinary {
  what: string;
  path: string;
  /** Its separate debug information. */
  debug?: string;
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
  const found = [...CANDIDATES, ...rustCompiler()].flatMap((path) => {
    if (existsSync(path)) return [localBinary(path, folder)];
    log(`not here: ${path}`);
    return [];
  });
  return [...found, ...separateLibc(folder, log)];
}

/** Debian's libc6-dbg: lines and inlined calls, by the build id. */
function separateLibc(folder: string, log: (line: string) => void): RealBinary[] {
  const path = realpathSync(`${LIBRARIES}/libc.so.6`);
  const source = openByteSource(path);
  const { buildId } = readElfIdentity(source);
  source.close();
  const debug = `/usr/lib/debug/.build-id/${buildId.slice(0, 2)}/${buildId.slice(2)}.debug`;
  if (!existsSync(debug) || missingTools(['eu-unstrip']).length > 0) {
    log(`not here: ${debug} (libc6-dbg), or eu-unstrip`);
    return [];
  }
  const oracle = join(folder, 'libc-unstripped');
  runTool('eu-unstrip', ['-o', oracle, path, debug]);
  return [{ what: 'libc.so.6 and libc6-dbg', path, debug, oracle, kind: 'native' }];
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
