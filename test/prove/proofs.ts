/** The proofs that `npm run prove` knows. */
import { execFileSync } from 'node:child_process';
import { proveDemangle } from './demangle.ts';
import { fuzzDebuginfoInProcesses } from './fuzz-debuginfo-processes.ts';
import { fuzzDemangle } from './fuzz-demangle.ts';
import { fuzzElf } from './fuzz-elf.ts';
import { fuzzFg1 } from './fuzz-fg1.ts';
import { fuzzGzip } from './fuzz-gzip.ts';
import { fuzzPprof } from './fuzz-pprof.ts';
import { fuzzSelector } from './fuzz-selector.ts';
import { fuzzUnwind } from './fuzz-unwind.ts';
import { proveKill } from './kill.ts';
import { proveOracle } from './oracle.ts';
import type { Proof } from './proof.ts';
import { proveRealBinaries } from './real-binaries.ts';
import { proveSoak } from './soak.ts';
import { proveSymbolizer } from './symbolizer.ts';
import { proveUnwindTables } from './unwind-tables.ts';

const FUZZ = { runs: 100_000, runsPerPart: 10_000 };
const FUZZ_CLAIM = 'refuses or takes any input: no crash, no hang over 1 s, no growth over 256 MB';

export const PROOFS: Record<string, Proof> = {
  'fuzz-pprof': { claim: `The pprof decoder ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzPprof },
  'fuzz-gzip': { claim: `Bounded gunzip ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzGzip },
  'fuzz-selector': { claim: `The selector parser ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzSelector },
  'fuzz-fg1': { claim: `The fg1 decoder ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzFg1 },
  'fuzz-elf': { claim: `The ELF converter ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzElf },
  'fuzz-debuginfo': {
    claim: `The converter of debug information ${FUZZ_CLAIM}; what it makes agrees with its input`,
    runs: 1_000_000,
    runsPerPart: 100_000,
    run: fuzzDebuginfoInProcesses,
  },
  'fuzz-unwind': { claim: `The compiler of unwind tables ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzUnwind },
  'fuzz-demangle': { claim: `The demangler ${FUZZ_CLAIM}`, ...FUZZ, run: fuzzDemangle },
  demangle: {
    claim: 'Of the C++ and Rust names in large programs, 99.9 % of each read as c++filt has them',
    runs: 1,
    runsPerPart: 1,
    run: proveDemangle,
  },
  symbolizer: {
    claim:
      'gcc, clang, rustc and Go at each level, in every form of debug information: function, ' +
      "file, line and inlined calls are llvm-symbolizer's, but for documented reasons",
    runs: 1,
    runsPerPart: 1,
    run: proveSymbolizer,
  },
  'real-binaries': {
    claim:
      "Of this machine's programs and libraries, stripped Go programs and those of other machines, " +
      "the answers are llvm-symbolizer's and nm's, but for documented reasons",
    runs: 1,
    runsPerPart: 1,
    run: proveRealBinaries,
  },
  'unwind-tables': {
    claim: "Of this machine's programs and libraries, the rules of frames are those of readelf",
    runs: 1,
    runsPerPart: 1,
    run: proveUnwindTables,
  },
  kill: {
    claim:
      'After kill -9, also of sealing, merging and retention, what was acknowledged is stored, once',
    runs: 200,
    runsPerPart: 20,
    run: proveKill,
  },
  soak: {
    claim:
      'Under a fleet of 100 hosts at the rate it lives, with questions and retention all the time, ' +
      'memory, files and latency stay level',
    runs: 60,
    runsPerPart: 60,
    run: proveSoak,
  },
  oracle: {
    claim:
      'Of random worlds, hot, sealed and reopened, store and queries say what plain sums over ' +
      'lists in memory say, to the last unit of integers; filters lose no weight',
    runs: 2_000,
    runsPerPart: 100,
    run: proveOracle,
  },
  image: {
    claim: 'The Dockerfile builds, its images hold no build tools, and server and agent run',
    runs: 1,
    runsPerPart: 1,
    run: () => runScript('test/prove/image.sh'),
  },
  bare: {
    claim: 'npm start shows live profiles on a bare Debian 12 within three minutes',
    runs: 1,
    runsPerPart: 1,
    run: () => runScript('test/prove/bare.sh'),
  },
};

/** What it printed, as one line. */
async function runScript(path: string): Promise<string> {
  return execFileSync('sh', [path]).toString().trim().replaceAll('\n', '; ');
}
