/**
 * Our demangled names against those of binutils' c++filt, over all C++ and Rust symbols of this
 * machine's large programs.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, realpathSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assert } from '../../profile/errors.ts';
import { demangle } from '../../symbolizer/demangle/demangle.ts';
import type { ProofOptions } from './proof.ts';

const LIBRARIES = '/usr/lib/x86_64-linux-gnu';
const MIN_AGREEMENT = 0.999;
const MAX_OUTPUT_BYTES = 2 ** 30;

/** Why a name may differ; the first that fits is counted. */
const CAUSES: [cause: string, fits: (name: string, theirs: string, ours: string) => boolean][] = [
  ['c++filt does not read it', (name, theirs) => theirs === name],
  ['an inherited constructor is called after its class, not its base', (name) => /CI\d/.test(name)],
  ["c++filt leaves an empty pack's comma", (_, theirs) => /[<(,] ?, /.test(theirs)],
  ["c++filt misreads a constant's 128 bits", (_, theirs) => /0x[0-9a-f]{8,}_/.test(theirs)],
  ['c++filt leaves letters escaped', (_, theirs) => /\$u[0-9a-f]+\$|'\\u\{/.test(theirs)],
  [
    "c++filt calls a lambda's destructor after its function",
    (_n, _t, ours) => ours.includes('::~{'),
  ],
  [
    'c++filt takes a parameter, mangled once for two functions, for that of the wrong one',
    (name) => /[IJREO_]Z/.test(name),
  ],
];

export interface Comparison {
  names: number;
  agreed: number;
  /** How many names differ, by cause. */
  deviations: Map<string, number>;
  /** Those without a cause, drawn. */
  unexplained: string[];
}

/** The mangled names in the program's symbol tables, each once. */
export function listMangled(path: string): string[] {
  const names = new Set<string>();
  for (const table of [[], ['-D']]) {
    const { stdout } = spawnSync('nm', [...table, path], { maxBuffer: MAX_OUTPUT_BYTES });
    for (const line of stdout.toString().split('\n')) {
      const name = line.slice(line.lastIndexOf(' ') + 1).replace(/@.*/, '');
      if (/^_[ZR]/.test(name)) names.add(name);
    }
  }
  return [...names];
}

export function compareNames(names: readonly string[]): Comparison {
  const result: Comparison = {
    names: names.length,
    agreed: 0,
    deviations: new Map(),
    unexplained: [],
  };
  const theirs = askBinutils(names);
  for (const [row, name] of names.entries()) {
    const ours = demangle(name);
    const expected = (theirs[row] ?? '') + rustSuffix(name);
    if (ours === expected) {
      result.agreed++;
      continue;
    }
    const cause = CAUSES.find(([, fits]) => fits(name, expected, ours))?.[0] ?? 'unexplained';
    result.deviations.set(cause, (result.deviations.get(cause) ?? 0) + 1);
    if (cause === 'unexplained') result.unexplained.push(`${name}\n  ${expected}\n  ${ours}`);
  }
  return result;
}

/** Not verbose, as in nm -C, perf and gdb: `std::string`, and Rust without hashes. */
function askBinutils(names: readonly string[]): string[] {
  const options = { input: `${names.join('\n')}\n`, maxBuffer: MAX_OUTPUT_BYTES };
  return execFileSync('c++filt', ['-i'], options).toString().split('\n');
}

/** What binutils drops behind a v0 name, `.cold`, and rustc's own demangler keeps. */
function rustSuffix(name: string): string {
  if (!name.startsWith('_R')) return '';
  return (/\..*$/.exec(name)?.[0] ?? '').replace(/\.llvm\.[0-9A-F]+/, '');
}

export function hasTool(tool: string): boolean {
  return spawnSync(tool, ['--version']).status === 0;
}

/** Throws where fewer than 999 of 1000 names of a program agree. */
export async function proveDemangle({ log }: ProofOptions): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), 'demangle-'));
  let names = 0;
  let agreed = 0;
  try {
    for (const path of [...listPrograms(), ...buildRust(directory, log)]) {
      const compared = compareNames(listMangled(path));
      names += compared.names;
      agreed += compared.agreed;
      log(describe(path, compared));
      const share = compared.agreed / compared.names;
      assert(share >= MIN_AGREEMENT, `${path}: ${share}\n${compared.unexplained.join('\n')}`);
    }
  } finally {
    rmSync(directory, { recursive: true });
  }
  return `${names} names, ${agreed} as c++filt has them`;
}

function describe(path: string, { names, agreed, deviations, unexplained }: Comparison): string {
  const share = ((agreed / names) * 100).toFixed(4);
  const causes = [...deviations].map(([cause, count]) => `\n  ${count} ${cause}`).join('');
  return `${path}: ${share} % of ${names}${causes}${unexplained.map((one) => `\n  ${one}`).join('')}`;
}

function listPrograms(): string[] {
  const candidates = [
    `${LIBRARIES}/libstdc++.so.6`,
    ...filesIn(LIBRARIES, /^lib(?:LLVM|clang-cpp)[-.\d]*\.so/),
    process.execPath,
    '/usr/bin/clang',
    ...filesIn('node_modules/@duckdb/node-bindings-linux-x64', /^libduckdb\.so$/),
  ];
  return [
    ...new Set(candidates.filter((path) => existsSync(path)).map((path) => realpathSync(path))),
  ];
}

function filesIn(folder: string, names: RegExp): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => names.test(name))
    .map((name) => join(folder, name));
}

/** A program in both manglings, and the compiler itself. */
function buildRust(directory: string, log: (line: string) => void): string[] {
  if (!hasTool('rustc')) {
    log('no Rust: there is no rustc on this machine');
    return [];
  }
  const programs = ['v0', 'legacy'].map((mangling) => {
    const path = join(directory, mangling);
    const options = ['-Zunstable-options', '-C', `symbol-mangling-version=${mangling}`];
    const args = ['-O', '-Awarnings', ...options, '-o', path, 'test/fixtures/names.rs'];
    execFileSync('rustc', args, { env: { ...process.env, RUSTC_BOOTSTRAP: '1' } });
    return path;
  });
  const sysroot = execFileSync('rustc', ['--print', 'sysroot']).toString().trim();
  return [...programs, ...filesIn(join(sysroot, 'lib'), /^librustc_driver.*\.so$/)];
}
