import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { buildElf, ELF_NAMES, nmSymbols, stripped } from '../../test/fixtures/elf-builds.ts';
import { convertSources } from '../debuginfo/convert.ts';
import { bytesSource } from './byte-reader.ts';
import { readElfIdentity } from './elf.ts';
import { planStrip, type StripPlan } from './strip.ts';

let directory = '';
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'strip-'));
});
afterAll(() => rmSync(directory, { recursive: true }));

async function extract(original: Buffer, plan: StripPlan, from = 0): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const read = async (at: number, length: number) => original.subarray(at, at + length);
  for await (const chunk of plan.chunks(read, from)) chunks.push(chunk);
  return Buffer.concat(chunks);
}

function planOf(bytes: Buffer): StripPlan {
  const plan = planStrip(bytesSource(bytes));
  if (plan === null) throw new Error('no symbols');
  return plan;
}

describe('the extraction', () => {
  test.each(ELF_NAMES)('%s: same id, same names, same symbol file', async (name) => {
    const path = buildElf(directory, name);
    const original = readFileSync(path);
    const plan = planOf(original);
    const bytes = await extract(original, plan);
    expect([bytes.length, plan.kind]).toEqual([plan.sizeBytes, 'debuginfo']);
    expect(readElfIdentity(bytesSource(bytes)).buildId).toBe(plan.buildId);
    writeFileSync(`${path}.extracted`, bytes);
    expect(nmSymbols(`${path}.extracted`)).toEqual(nmSymbols(path));
    const { buildId } = plan;
    const files: Buffer[] = [];
    for (const elf of [original, bytes]) {
      const job = {
        buildId,
        target: join(directory, 'any.esf'),
        knownSegments: [],
        symbolsOnly: false,
      };
      await convertSources(job, [{ kind: 'executable', source: bytesSource(elf) }]);
      files.push(readFileSync(job.target));
    }
    expect(files[0]?.equals(files[1] as Buffer)).toBe(true);
  });

  test('of a stripped library has what it exports', async () => {
    const original = readFileSync(stripped(buildElf(directory, 'library')));
    expect(planOf(original).kind).toBe('executable');
  });

  test('of a file without symbols is none', () => {
    expect(
      planStrip(bytesSource(readFileSync(stripped(buildElf(directory, 'static'))))),
    ).toBeNull();
  });

  test('is small, and readelf has no complaint', async () => {
    const original = readFileSync(process.execPath);
    const plan = planOf(original);
    expect(plan.sizeBytes).toBeLessThan(original.length / 4);
    const path = join(directory, 'node.extracted');
    writeFileSync(path, await extract(original, plan));
    const warnings = execFileSync('readelf', ['-hlSn', path], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    expect(warnings.toString()).not.toMatch(/error|warning/i);
    expect(warnings.toString()).toContain(plan.buildId);
  });

  test('goes on from any offset', async () => {
    const original = readFileSync(buildElf(directory, 'no-build-id'));
    const plan = planOf(original);
    const whole = await extract(original, plan);
    for (let from = 0; from < whole.length; from += 37) {
      expect((await extract(original, plan, from)).equals(whole.subarray(from))).toBe(true);
    }
  });
});
