/**
 * Hostile debug information: programs and what belongs to them, broken where it hurts and
 * converted in this process. None may crash, take a second of CPU time or 256 MB of memory, and a
 * symbol file that comes of it must open, agree with itself, say nothing that the files do not
 * say, and lose nothing that the damage has not touched. Symbol files themselves are broken too.
 */
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert, EverflameError } from '../../profile/errors.ts';
import type { Conversion } from '../../symbolizer/debuginfo/convert.ts';
import { bytesSource } from '../../symbolizer/elf/byte-reader.ts';
import { planStrip } from '../../symbolizer/elf/strip.ts';
import { openSymbolFile } from '../../symbolizer/symbol-file/symbol-file.ts';
import { tryHostText } from './fuzz-debuginfo-host.ts';
import { mutate, type PlacedFile, type Stretch } from './fuzz-debuginfo-mutations.ts';
import { buildFuzzObjects, type FuzzObject, type ObjectSource } from './fuzz-debuginfo-objects.ts';
import {
  type Baseline,
  checkResult,
  convertTo,
  type Damage,
  takeBaseline,
} from './fuzz-debuginfo-oracle.ts';
import { PartChecker } from './fuzz-debuginfo-parts.ts';
import { findPlaces } from './fuzz-debuginfo-places.ts';
import { oneOf, type Random, randomOf } from './fuzz-debuginfo-random.ts';
import { damageSymbolFile, tryDamaged } from './fuzz-debuginfo-symbol-file.ts';
import { type FuzzWatch, watchFuzz } from './fuzz-watch.ts';
import type { ProofOptions } from './proof.ts';

/** What a mutant that broke a promise is kept under. */
const FAILURES = '.cache/prove/fuzz-debuginfo';
/** One of so many is converted twice. */
const REPEATED = 50;
const LOGGED_RUNS = 250;
/** One of so many is a symbol file, and one of as many a text of the host's. */
const SYMBOL_FILES = 10;

interface Target extends FuzzObject {
  files: PlacedFile[];
  baseline: Baseline;
  parts: PartChecker;
}

interface Mutants {
  sources: ObjectSource[];
  damage: Damage;
  /** By source. */
  stretches: (readonly Stretch[] | null)[];
}

export class DebuginfoFuzzer {
  readonly watch: FuzzWatch = watchFuzz('files');
  readonly targets: readonly Target[];
  readonly #output: string;
  readonly #files: PlacedFile[];

  private constructor(targets: readonly Target[], output: string) {
    this.targets = targets;
    this.#output = output;
    this.#files = targets.flatMap(({ files }) => files);
  }

  static async create(directory: string): Promise<DebuginfoFuzzer> {
    const output = join(directory, 'out.esf');
    const targets: Target[] = [];
    for (const object of await buildFuzzObjects(directory)) {
      const files = object.sources.map(({ bytes }) => placed(bytes));
      const baseline = await takeBaseline(object, output);
      const parts = new PartChecker(object.sources, files, baseline.addresses, `${output}.parts`);
      await parts.prepare();
      targets.push({ ...object, files, baseline, parts });
    }
    return new DebuginfoFuzzer(targets, output);
  }

  /** The same seed and run, the same mutant. Throws what is wrong with it. */
  async run(seed: number, run: number): Promise<void> {
    const random = randomOf(seed, run);
    const target = oneOf(random, this.targets);
    const kind = random(SYMBOL_FILES);
    if (kind === 0) this.#trySymbolFile(target.baseline, random);
    else if (kind === 1) this.#tryHostText(random);
    else {
      const mutants = this.#mutants(target, random);
      try {
        await this.#tryMutant(target, mutants, random, run);
      } catch (error) {
        keepFailure(`${seed}-${run}-${target.name}`, mutants.sources, error);
        throw error;
      }
    }
  }

  #trySymbolFile(baseline: Baseline, random: Random): void {
    writeFileSync(this.#output, damageSymbolFile(baseline.bytes, random));
    this.watch.begin();
    this.watch.end(tryDamaged(this.#output, baseline.addresses));
  }

  #tryHostText(random: Random): void {
    this.watch.begin();
    this.watch.end(tryHostText(random));
  }

  async #tryMutant(
    target: Target,
    { sources, damage, stretches }: Mutants,
    random: Random,
    run: number,
  ): Promise<void> {
    this.watch.begin();
    let conversion: Conversion | null = null;
    try {
      conversion = await convertTo(this.#output, sources);
    } catch (error) {
      if (!(error instanceof EverflameError)) throw error;
      assert(!damage.sparesSymbols, `symbols are lost: ${error.message}`);
    }
    if (run % 4 === 0) await tryStrip(sources);
    this.watch.end(conversion !== null);
    if (conversion === null) return;
    if (run % REPEATED === 0) await this.#repeat(sources);
    await checkResult(this.#output, conversion, sources, target.baseline, damage, random);
    if (!damage.sparesSymbols) return;
    const file = openSymbolFile(this.#output);
    try {
      await target.parts.check(file, sources, stretches, conversion.problems);
    } finally {
      file.close();
    }
  }

  async #repeat(sources: readonly ObjectSource[]): Promise<void> {
    const first = readFileSync(this.#output);
    await convertTo(this.#output, sources);
    assert(first.equals(readFileSync(this.#output)), 'the same files make other bytes');
  }

  /** One of the object's files is broken, seldom all. */
  #mutants(target: Target, random: Random): Mutants {
    const all = random(8) === 0;
    const chosen = random(target.sources.length);
    const damage: Damage = { sparesSymbols: true, sparesNames: true };
    const stretches: Mutants['stretches'] = target.sources.map(() => []);
    const sources = target.sources.map(({ kind, bytes }, row) => {
      if (!all && row !== chosen) return { kind, bytes };
      const mutant = mutate(target.files[row] as PlacedFile, this.#files, random);
      stretches[row] = mutant.stretches;
      const isProgram = kind === 'executable' || kind === 'debuginfo';
      for (const name of mutant.touched) {
        if (isProgram && !/^\.z?debug_/.test(name)) damage.sparesSymbols = false;
        if (!isProgram || !/^\.debug_line$/.test(name)) damage.sparesNames = false;
      }
      return { kind, bytes: mutant.bytes };
    });
    return { sources, damage, stretches };
  }
}

function placed(bytes: Buffer): PlacedFile {
  const places = findPlaces(bytes);
  const kinds = [...places.fields].flatMap(([kind, list]) => (list.length > 0 ? [kind] : []));
  return { bytes, places, kinds };
}

/** What an agent would make of a program like this. */
async function tryStrip(sources: readonly ObjectSource[]): Promise<void> {
  const [first] = sources;
  if (first === undefined || first.kind !== 'executable') return;
  const { bytes } = first;
  try {
    const plan = planStrip(bytesSource(bytes));
    if (plan === null) return;
    let length = 0;
    for await (const chunk of plan.chunks(async (at, n) => bytes.subarray(at, at + n), 0)) {
      length += chunk.length;
    }
    assert(length === plan.sizeBytes, `${length} bytes extracted, ${plan.sizeBytes} announced`);
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
  }
}

function keepFailure(name: string, sources: readonly ObjectSource[], error: unknown): void {
  const folder = join(FAILURES, name);
  mkdirSync(folder, { recursive: true });
  sources.forEach(({ kind, bytes }, row) => {
    writeFileSync(join(folder, `${row}-${kind}`), bytes);
  });
  const text = error instanceof Error ? error.stack : String(error);
  writeFileSync(join(folder, 'error.txt'), `${text}\n`);
}

/** In memory where that is possible: every symbol file is synced to its disk. */
function fastFolder(): string {
  return existsSync('/dev/shm') ? '/dev/shm' : tmpdir();
}

/** Returns one line of summary. Throws on the first file that breaks a promise, which is kept. */
export async function fuzzDebuginfo({ seed, runs, log }: ProofOptions): Promise<string> {
  return await fuzzDebuginfoRuns({ seed, from: 1, to: runs, log });
}

export interface FuzzedRuns {
  seed: number;
  /** The first and the last run. */
  from: number;
  to: number;
  log(text: string): void;
}

export async function fuzzDebuginfoRuns({ seed, from, to, log }: FuzzedRuns): Promise<string> {
  const directory = mkdtempSync(join(fastFolder(), 'fuzz-debuginfo-'));
  try {
    const fuzzer = await DebuginfoFuzzer.create(directory);
    for (let run = from; run <= to; run++) {
      if (run % LOGGED_RUNS === 0) log(`run ${run} of seed ${seed}`);
      await fuzzer.run(seed, run);
    }
    return fuzzer.watch.summary();
  } finally {
    rmSync(directory, { recursive: true });
  }
}
