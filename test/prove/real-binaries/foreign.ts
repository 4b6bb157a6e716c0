/** Programs for other machines, by Debian's cross compilers. */
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools, runTool } from '../../fixtures/debuginfo-tools.ts';
import type { RealBinary } from './local.ts';

const SOURCES = fileURLToPath(new URL('../../fixtures/debuginfo', import.meta.url));
const MACHINES = ['aarch64-linux-gnu', 'i686-linux-gnu'];
const OPTIMIZATIONS = ['O0', 'O2'];
const DWARF_VERSIONS = [4, 5];

export function foreignBinaries(folder: string, log: (line: string) => void): RealBinary[] {
  return MACHINES.flatMap((machine) => {
    const absent = missingTools([`${machine}-gcc`, `${machine}-g++`]);
    if (absent.length > 0) {
      log(`not here: ${absent.join(', ')}`);
      return [];
    }
    return OPTIMIZATIONS.flatMap((level) =>
      DWARF_VERSIONS.map((version) => buildForeign(folder, machine, level, version)),
    );
  });
}

function buildForeign(folder: string, machine: string, level: string, version: number): RealBinary {
  const what = `${machine} ${level} DWARF ${version}`;
  const path = join(folder, what.replaceAll(' ', '-'));
  const units = readdirSync(SOURCES).filter(
    (name) => /\.(c|cpp|S)$/.test(name) && name !== 'bare.c',
  );
  const options = ['-w', '-g', `-gdwarf-${version}`, `-${level}`];
  const objects = units.map((unit) => {
    const object = `${path}-${unit}.o`;
    const compiler = unit.endsWith('.cpp') ? [`${machine}-g++`, '-std=c++17'] : [`${machine}-gcc`];
    const [driver = '', ...more] = compiler;
    runTool(driver, [...options, ...more, '-c', '-o', object, join(SOURCES, unit)]);
    return object;
  });
  runTool(`${machine}-g++`, [...options, '-o', path, ...objects]);
  return { what, path, oracle: path, kind: 'native' };
}
