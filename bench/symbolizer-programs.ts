/** The programs that the symbolizers are measured on, made once and kept in .cache/. */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openByteSource } from '../symbolizer/elf/byte-reader.ts';
import { readCompressionHeader } from '../symbolizer/elf/compressed-section.ts';
import { SectionFlag } from '../symbolizer/elf/elf.ts';
import { openElfFile } from '../symbolizer/elf/elf-file.ts';
import { versionOf } from '../test/fixtures/debuginfo-tools.ts';

export interface BenchProgram {
  name: string;
  path: string;
}

const FOLDER = resolve('.cache', 'symbolizer');
const GO_MODULE = 'module bench\n\ngo 1.20\n';
/** A C++ daemon of Debian 12, as its package has the debug information, decompressed. */
const DEBIAN_PACKAGE = 'ceph-mgr-dbg';

/** Go's own compiler, with the DWARF that `go build` gives it: compressed. */
export function goProgram(): BenchProgram {
  const path = keep('go-compile', (folder, target) => {
    writeFileSync(join(folder, 'go.mod'), GO_MODULE);
    run(folder, 'go', ['build', '-o', target, 'cmd/compile']);
  });
  return { name: `cmd/compile of ${versionOf('go')}`, path };
}

/** Null where there is no apt-get to fetch it. */
export function cxxProgram(): BenchProgram | null {
  if (versionOf('apt-get') === null) {
    console.log(`no C++ program: ${DEBIAN_PACKAGE} needs apt-get of Debian 12`);
    return null;
  }
  const path = keep('ceph-mgr.debug', (folder, target) => {
    run(folder, 'apt-get', ['download', DEBIAN_PACKAGE]);
    const [archive = ''] = readdirSync(folder).filter((name) => name.endsWith('.deb'));
    run(folder, 'dpkg-deb', ['-x', archive, '.']);
    const files = readdirSync(folder, { encoding: 'utf8', recursive: true });
    const debug = files.find((name) => name.endsWith('.debug')) ?? '';
    run(folder, 'objcopy', ['--decompress-debug-sections', debug, target]);
  });
  return { name: `${DEBIAN_PACKAGE} of Debian 12 (C++), decompressed`, path };
}

/** Bytes of its .debug_ sections, decompressed. */
export function dwarfBytes(path: string): number {
  const source = openByteSource(path);
  try {
    const elf = openElfFile(source);
    let bytes = 0;
    for (const [number, { flags, offset, size }] of elf.sections.entries()) {
      if (elf.names[number]?.startsWith('.debug_') !== true) continue;
      const isCompressed = (flags & SectionFlag.compressed) !== 0;
      const head = isCompressed ? source.read(offset, Math.min(24, size)) : null;
      bytes += head === null ? size : readCompressionHeader(head, elf.header.is64).size;
    }
    return bytes;
  } finally {
    source.close();
  }
}

/** Where its code is. */
export function textSection(path: string): { address: number; size: number } {
  const source = openByteSource(path);
  try {
    const text = openElfFile(source).section('.text');
    if (text === undefined) throw new Error(`${path} has no .text`);
    return text;
  } finally {
    source.close();
  }
}

function keep(name: string, make: (folder: string, target: string) => void): string {
  const path = join(FOLDER, name);
  if (existsSync(path)) return path;
  console.log(`making ${path}`);
  const folder = join(FOLDER, `${name}.tmp`);
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder, { recursive: true });
  const target = join(folder, 'program');
  make(folder, target);
  renameSync(target, path);
  rmSync(folder, { recursive: true });
  return path;
}

function run(cwd: string, program: string, args: readonly string[]): void {
  execFileSync(program, args, { cwd, stdio: ['ignore', 'ignore', 'inherit'] });
}
