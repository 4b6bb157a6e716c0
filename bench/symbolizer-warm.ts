/** Nanoseconds of a look-up in a process that has asked before: our library's and blazesym's. */
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { openSymbolFile } from '../symbolizer/symbol-file/symbol-file.ts';
import { versionOf } from '../test/fixtures/debuginfo-tools.ts';

const PASSES = 10;

export interface WarmTimes {
  /** Of an address that was asked for before. */
  againNs: number;
  /** Of one that was not, in code and pages that are in memory. */
  newNs: number;
}

/** The best of some passes. */
export function timeOwnLookups(symbolFile: string, addressFile: string): WarmTimes {
  const times: WarmTimes = { againNs: Infinity, newNs: Infinity };
  const text = readFileSync(addressFile, 'utf8');
  const addresses = Float64Array.from(text.trim().split('\n'), Number);
  for (let pass = 0; pass < PASSES; pass++) {
    const file = openSymbolFile(symbolFile);
    const look = (shift: number): number => {
      let found = 0;
      const start = performance.now();
      for (const address of addresses) {
        if (file.lookup(address + shift, 'elf').kind === 'symbol') found++;
      }
      if (found === 0) throw new Error('no address has a symbol');
      return ((performance.now() - start) * 1e6) / addresses.length;
    };
    look(0);
    times.againNs = Math.min(times.againNs, look(0));
    times.newNs = Math.min(times.newNs, look(1));
    file.close();
  }
  return times;
}

/** Null where there is no cargo to build it with. */
export function timeBlazesym(program: string, addressFile: string): number | null {
  if (versionOf('cargo') === null) {
    console.log('no blazesym crate: install cargo (rustup.rs)');
    return null;
  }
  const output = execFileSync(buildBlazesymRate(), [program, addressFile]);
  return Number(output.toString());
}

function buildBlazesymRate(): string {
  const folder = resolve('.cache', 'symbolizer', 'blazesym-rate');
  mkdirSync(folder, { recursive: true });
  const manifest = [
    '[package]',
    'name = "blazesym-rate"',
    'version = "0.0.0"',
    'edition = "2021"',
    '[[bin]]',
    'name = "blazesym-rate"',
    `path = ${JSON.stringify(resolve('bench', 'blazesym-rate.rs'))}`,
    '[dependencies]',
    'blazesym = "0.2"',
    '',
  ];
  writeFileSync(join(folder, 'Cargo.toml'), manifest.join('\n'));
  execFileSync('cargo', ['build', '--release', '--quiet'], { cwd: folder, stdio: 'inherit' });
  return join(folder, 'target', 'release', 'blazesym-rate');
}
