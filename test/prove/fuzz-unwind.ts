/**
 * Hostile frames: a real program whose `.eh_frame` or headers have flipped bits and forged numbers.
 * Whatever comes of one, its table must be one that the BPF program can search.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileUnwindTable, type UnwindTable } from '../../agent/unwind/unwind-table.ts';
import { createRandom, type Random } from '../../bench/random.ts';
import { assert, EverflameError } from '../../profile/errors.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

const SOURCE = 'test/fixtures/unwind/frames.c';
const SECTIONS = ['.eh_frame', '.debug_frame'];
const FORGED = [0, 1, 0x7f, 0x80, 0xff];
const ELF_HEADER_BYTES = 64 + 13 * 56;

/** Returns one line of summary. Throws on the first file that breaks a promise. */
export async function fuzzUnwind({ seed, runs }: ProofOptions): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'fuzz-unwind-'));
  try {
    const random = createRandom(seed);
    const programs = [build(folder, 'eh', []), build(folder, 'debug', DEBUG_FRAME)];
    const watch = watchFuzz('files');
    for (let run = 0; run < runs; run++) {
      const bytes = mutate(programs[run % programs.length] as Program, random);
      watch.begin();
      watch.end(await tryOne(bytes));
    }
    return watch.summary();
  } finally {
    rmSync(folder, { recursive: true });
  }
}

const DEBUG_FRAME = ['-g', '-fno-asynchronous-unwind-tables', '-fno-unwind-tables'];

interface Program {
  bytes: Buffer;
  /** Of the file: where frames are. */
  places: { start: number; end: number }[];
}

function build(folder: string, name: string, flags: readonly string[]): Program {
  const path = join(folder, name);
  execFileSync('gcc', ['-O2', '-fomit-frame-pointer', ...flags, '-o', path, SOURCE]);
  const bytes = readFileSync(path);
  const elf = openElfFile(bytesSource(bytes));
  const places = SECTIONS.flatMap((section) => {
    const found = elf.section(section);
    return found === undefined ? [] : [{ start: found.offset, end: found.offset + found.size }];
  });
  return { bytes, places };
}

function mutate({ bytes, places }: Program, random: Random): Buffer {
  const mutated = Buffer.from(bytes);
  const times = random.between(1, 12);
  for (let time = 0; time < times; time++) {
    const place = places[random.between(0, places.length - 1)] ?? { start: 0, end: 1 };
    const isHeader = random.fraction() < 0.05;
    const at = isHeader
      ? random.between(0, ELF_HEADER_BYTES - 1)
      : random.between(place.start, place.end - 1);
    const byte = mutated[at] as number;
    const forged = FORGED[random.between(0, FORGED.length - 1)] as number;
    mutated[at] = random.fraction() < 0.5 ? byte ^ (1 << random.between(0, 7)) : forged;
  }
  return mutated;
}

/** True if a table came of it. Anything thrown but EverflameError is a crash. */
async function tryOne(bytes: Buffer): Promise<boolean> {
  try {
    checkTable(await compileUnwindTable(openElfFile(bytesSource(bytes))));
    return true;
  } catch (error) {
    if (error instanceof EverflameError) return false;
    throw error;
  }
}

function checkTable({ firstPage, pageStarts, rows }: UnwindTable): void {
  assert(Number.isSafeInteger(firstPage) && firstPage >= 0, `the first page is ${firstPage}`);
  assert(pageStarts.at(-1) === rows.length / 2, 'the pages hold all rows');
  for (let page = 0; page + 1 < pageStarts.length; page++) {
    let last = -1;
    for (let row = pageStarts[page] as number; row < (pageStarts[page + 1] as number); row++) {
      const low = (rows[2 * row] as number) & 0xffff;
      assert(low > last, 'rows of a page ascend');
      last = low;
    }
    assert(page === 0 || last >= 0, 'a page after the first has a row');
  }
}
