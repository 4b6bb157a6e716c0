// Compiles api/ingest/kernel/pprof-kernel.c with clang and writes it as pprof-kernel-wasm.ts.
// usage: node tools/pprof-kernel.mjs; needs clang and lld. A test tells when it is to be run.
import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = fileURLToPath(new URL('../api/ingest/kernel/', import.meta.url));
const FLAGS = [
  ...['--target=wasm32', '-O2', '-msimd128', '-mbulk-memory'],
  ...['-nostdlib', '-ffreestanding', '-Wall', '-Wextra', '-Werror'],
  ...['-Wl,--no-entry', '-Wl,--strip-all', '-Wl,-z,stack-size=16384'],
];

const scratch = mkdtempSync(join(tmpdir(), 'pprof-kernel-'));
const output = join(scratch, 'kernel.wasm');
execFileSync('clang', [...FLAGS, '-o', output, join(folder, 'pprof-kernel.c')], {
  stdio: 'inherit',
});
const base64 = readFileSync(output).toString('base64');
rmSync(scratch, { recursive: true });

const hash = createHash('sha256');
for (const name of readdirSync(folder)
  .filter((file) => /\.[ch]$/.test(file))
  .sort()) {
  hash.update(readFileSync(join(folder, name)));
}
const lines = base64.match(/.{1,92}/g).map((line) => `  '${line}',`);
writeFileSync(
  join(folder, 'pprof-kernel-wasm.ts'),
  `/** Made by tools/pprof-kernel.mjs; not to be edited. */

/** SHA-256 of the sources it was compiled from, one after the other. */
export const KERNEL_SOURCE_SHA256 =
  '${hash.digest('hex')}';

export const KERNEL_BASE64 = [
${lines.join('\n')}
].join('');
`,
);
