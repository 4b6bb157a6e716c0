/**
 * Object files, whose addresses are their file offsets. The oracle is the same file linked by lld
 * with each section of code at the address that is its offset in the object file.
 */
import { copyFileSync, existsSync, readdirSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { openByteSource } from '../../../symbolizer/elf/byte-reader.ts';
import { SectionFlag } from '../../../symbolizer/elf/elf.ts';
import { openElfFile } from '../../../symbolizer/elf/elf-file.ts';
import { missingTools, runTool } from '../../fixtures/debuginfo-tools.ts';
import type { RealBinary } from './local.ts';

const SOURCES = fileURLToPath(new URL('../../fixtures/debuginfo', import.meta.url));
const UNITS = ['plain.c', 'shapes.cpp', 'templates.cpp'];
const MODULES = '/lib/modules';
const MODULE_NAMES = ['kernel/drivers/net/virtio_net.ko', 'kernel/net/netfilter/nf_tables.ko'];
/** Where what is no code goes, so that it is not taken for code. */
const DATA_ADDRESS = 0x1000_0000;

/** What a kernel package has installed; a module is linked when it is loaded. */
function kernelModules(folder: string, log: (line: string) => void): RealBinary[] {
  const releases = existsSync(MODULES) ? readdirSync(MODULES) : [];
  const found = releases.flatMap((release) =>
    MODULE_NAMES.map((name) => join(MODULES, release, name)).filter((path) => existsSync(path)),
  );
  if (found.length === 0) log(`not here: kernel modules in ${MODULES} (linux-image-cloud-amd64)`);
  return found.map((original) => {
    const path = join(folder, basename(original));
    copyFileSync(original, path);
    return { what: basename(path), path, oracle: linkAtOffsets(path), kind: 'native' };
  });
}

export function objectFiles(folder: string, log: (line: string) => void): RealBinary[] {
  const modules = missingTools(['ld.lld']).length > 0 ? [] : kernelModules(folder, log);
  const compilers = ['gcc', 'clang', 'aarch64-linux-gnu-gcc', 'i686-linux-gnu-gcc'];
  const objects = compilers.flatMap((compiler) => {
    const absent = missingTools([compiler, 'ld.lld']);
    if (absent.length > 0) {
      log(`no object files: ${absent.join(', ')} not here`);
      return [];
    }
    return UNITS.flatMap((unit) =>
      ['-ffunction-sections', '-fno-function-sections'].map((sections) =>
        buildObject(folder, compiler, unit, ['-O2', sections]),
      ),
    );
  });
  return [...modules, ...objects];
}

export function buildObject(
  folder: string,
  compiler: string,
  unit: string,
  options: readonly string[],
): RealBinary {
  const what = `${compiler} ${unit} ${options.join(' ')}`;
  const path = join(folder, `${what.replaceAll(/[ .]/g, '-')}.o`);
  const standard = unit.endsWith('.cpp') ? ['-std=c++17'] : [];
  const args = ['-w', '-g', ...standard, ...options, '-c', '-o', path, join(SOURCES, unit)];
  runTool(compiler, args);
  return { what, path, oracle: linkAtOffsets(path), kind: 'native' };
}

function linkAtOffsets(path: string): string {
  const source = openByteSource(path);
  const { sections, names } = openElfFile(source);
  source.close();
  // A name may be cut off at its 256th byte.
  const pattern = (name = ''): string => `*(${name}${name.length === 256 ? '*' : ''})`;
  const places = sections.flatMap(({ flags, offset, size }, number) => {
    if ((flags & SectionFlag.exec) === 0 || size === 0) return [];
    return [`  "code${number}" ${offset} : { ${pattern(names[number])} }`];
  });
  const data = names.filter((_, number) => {
    const flags = sections[number]?.flags ?? 0;
    return (flags & SectionFlag.alloc) !== 0 && (flags & SectionFlag.exec) === 0;
  });
  places.push(`  data ${DATA_ADDRESS} : { ${data.map(pattern).join(' ')} }`);
  const script = `${path}.ld`;
  writeFileSync(script, `SECTIONS {\n${places.join('\n')}\n}\n`);
  const linked = `${path}.linked`;
  const lax = ['--unresolved-symbols=ignore-all', '--noinhibit-exec', '--no-check-sections'];
  runTool('ld.lld', ['-T', script, ...lax, '--image-base=0', '-o', linked, path]);
  return linked;
}
