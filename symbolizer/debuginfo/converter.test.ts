import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { MAX_ELF_SEGMENTS } from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';
import { buildElf } from '../../test/fixtures/elf-builds.ts';
import { withSections } from '../../test/fixtures/elf-sections.ts';
import { openByteSource } from '../elf/byte-reader.ts';
import { readElfIdentity } from '../elf/elf.ts';
import { type ConversionJob, convertFiles } from './convert.ts';
import { CONVERTER_LIMITS, convertInChild } from './converter.ts';

let directory = '';
let job: ConversionJob;
const never = new AbortController().signal;
beforeAll(() => {
  directory = mkdtempSync(join(tmpdir(), 'converter-'));
  const path = buildElf(directory, 'exec');
  const source = openByteSource(path);
  const { buildId } = readElfIdentity(source);
  source.close();
  job = {
    sources: [{ kind: 'executable', path }],
    target: join(directory, 'out.esf'),
    buildId,
    knownSegments: [],
    symbolsOnly: false,
  };
});
afterAll(() => rmSync(directory, { recursive: true }));

test('the child writes the same bytes as this process', async () => {
  const conversion = await convertInChild(job, CONVERTER_LIMITS, never);
  const here = join(directory, 'here.esf');
  await expect(convertFiles({ ...job, target: here })).resolves.toEqual(conversion);
  expect(readFileSync(job.target).equals(readFileSync(here))).toBe(true);
});

test('the job may be larger than an argument of a command', async () => {
  const segment = { offset: 0, fileSize: 1, vaddr: 2 ** 40, memSize: 1, flags: 4 };
  const knownSegments = Array.from({ length: MAX_ELF_SEGMENTS }, () => segment);
  expect(JSON.stringify(knownSegments).length).toBeGreaterThan(131_072);
  const conversion = convertInChild({ ...job, knownSegments }, CONVERTER_LIMITS, never);
  await expect(conversion).resolves.toMatchObject({ functions: expect.any(Number) });
});

test("a Go program's table that is none is told", async () => {
  const [{ path = '' } = {}] = job.sources;
  const bytes = [{ name: '.gopclntab', bytes: new Uint8Array(100) }];
  writeFileSync(`${path}.go`, withSections(readFileSync(path), bytes));
  const sources = [{ kind: 'executable' as const, path: `${path}.go` }];
  await expect(convertFiles({ ...job, sources })).resolves.toMatchObject({
    leftOut: { damaged_tables: 1 },
    problems: ["Go's table: it is there, but does not begin like one"],
  });
});

test('another build id is refused', async () => {
  const wrong = convertInChild({ ...job, buildId: 'aabbccdd' as BuildId }, CONVERTER_LIMITS, never);
  await expect(wrong).rejects.toMatchObject({ kind: 'unprocessable', field: 'build_id' });
});

test('no ELF file is refused', async () => {
  const path = join(directory, 'text');
  writeFileSync(path, 'hello, world, this is no ELF file\n'.repeat(10));
  const answer = convertInChild(
    { ...job, sources: [{ kind: 'executable' as const, path }] },
    CONVERTER_LIMITS,
    never,
  );
  await expect(answer).rejects.toMatchObject({ kind: 'invalid', message: /magic/ });
});

test('a deadline, a limit and a signal end it, and say so', async () => {
  const late = convertInChild(job, { ...CONVERTER_LIMITS, deadlineMs: 1 }, never);
  await expect(late).rejects.toMatchObject({ kind: 'too-large', limit: /deadlineMs = 1$/ });
  const poor = convertInChild(job, { ...CONVERTER_LIMITS, dataBytes: 2 ** 20 }, never);
  await expect(poor).rejects.toThrow(/died of|ran out of memory/);
  const aborted = convertInChild(job, CONVERTER_LIMITS, AbortSignal.abort());
  await expect(aborted).rejects.toThrow(/SIGKILL/);
});
