/** The rules of the house that a machine can check: who may import whom, how long things may be. */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');

/** Folder -> folders it may import. `types:` allows only `import type`. */
const IMPORTS: Record<string, string[]> = {
  profile: [],
  wire: ['profile'],
  symbolizer: ['profile'],
  agent: ['profile', 'wire', 'symbolizer'],
  store: ['profile'],
  gate: ['profile'],
  api: ['profile', 'wire', 'gate', 'types:store', 'types:symbolizer'],
  web: ['profile', 'wire'],
  cli: ['profile', 'wire', 'symbolizer', 'agent', 'store', 'gate', 'api'],
};

/** Package -> the only places that import it. A package that is not here is nobody's. */
const HOMES: Record<string, string[]> = {
  '@duckdb/node-api': ['store/duckdb/'],
  '@duckdb/node-bindings': ['store/duckdb/'],
  '@hono/node-server': ['cli/'],
  '@opentelemetry/api': ['api/', 'store/', 'agent/', 'cli/'],
  '@opentelemetry/context-async-hooks': ['cli/'],
  '@opentelemetry/core': ['cli/'],
  '@opentelemetry/exporter-prometheus': ['cli/'],
  '@opentelemetry/exporter-trace-otlp-http': ['cli/'],
  '@opentelemetry/resources': ['cli/'],
  '@opentelemetry/sdk-metrics': ['cli/'],
  '@opentelemetry/sdk-trace-base': ['cli/'],
  '@tanstack/react-query': ['web/'],
  '@tanstack/react-virtual': ['web/'],
  '@vitejs/plugin-react': ['web/vite.config.ts'],
  hono: ['api/app.ts', 'api/routes/'],
  koffi: ['agent/libbpf.ts'],
  'pprof-format': ['profile/'],
  protobufjs: ['wire/'],
  re2js: ['profile/'],
  react: ['web/'],
  'react-dom': ['web/'],
  tar: ['api/folder-streams.ts', 'cli/download-folder.ts'],
  uplot: ['web/'],
  vite: ['web/vite.config.ts'],
  'xz-decompress': ['symbolizer/elf/'],
  yaml: ['cli/'],
  zod: ['api/', 'cli/'],
  zstddec: ['symbolizer/elf/'],
};

const MAX_FILE_LINES = 500;
const MAX_COLUMNS = 100;
const MAX_FILES_PER_FOLDER = 40;
const MAX_JS_FUNCTION_LINES = 70;
const BANNED_NAMES = /(^|\/)(utils?|helpers?|common|misc|types|index)\.tsx?$/;
const BANNED_WORDS: [RegExp, string][] = [
  [/\bTODO\b|\bFIXME\b|\bXXX\b/, 'open an issue instead'],
  [/@ts-(ignore|nocheck|expect-error)/, 'make the types true'],
  [/\bas any\b|: any\b/, 'use unknown and narrow it'],
  [/biome-ignore(?! lint\/[\w/]+: \w)/, 'name the rule and the reason'],
  [/catch *(\([^)]*\))? *\{ *\}/, 'an error is handled or passed on'],
  [/\b(it|test|describe)\.only\(/, 'it would hide every other test'],
];

interface Source {
  path: string;
  folder: string;
  text: string;
  lines: string[];
}

const sources = listFiles()
  .filter((path) => /\.(ts|tsx|mts|mjs|js)$/.test(path) && !path.startsWith('test/fixtures/'))
  .map((path): Source => {
    const text = readFileSync(join(root, path), 'utf8');
    return { path, folder: path.split('/')[0] ?? '', text, lines: text.split('\n') };
  });
const isTest = (path: string) => /\.test\.tsx?$/.test(path) || /^(test|bench)\//.test(path);
const shipped = sources.filter((source) => !isTest(source.path));

function listFiles(): string[] {
  const known = execFileSync('git', ['ls-files', '-co', '--exclude-standard'], { cwd: root });
  return known
    .toString()
    .split('\n')
    .filter((path) => path !== '' && existsSync(join(root, path)));
}

interface Import {
  typeOnly: boolean;
  specifier: string;
}

function importsOf(text: string): Import[] {
  const found: Import[] = [];
  const statement = /^\s*(?:import|export)\s+(type\s+)?(?:[^'";]*?\sfrom\s+)?['"]([^'"]+)['"]/gm;
  for (const match of text.matchAll(statement)) {
    found.push({ typeOnly: match[1] !== undefined, specifier: match[2] ?? '' });
  }
  for (const match of text.matchAll(/\b(?:import|require)\(\s*['"]([^'"]+)['"]\s*\)/g)) {
    found.push({ typeOnly: false, specifier: match[1] ?? '' });
  }
  return found;
}

function edgeFault(source: Source, { typeOnly, specifier }: Import): string | null {
  if (specifier.startsWith('.')) {
    const target =
      relative(root, resolve(root, dirname(source.path), specifier)).split('/')[0] ?? '';
    const allowed = IMPORTS[source.folder];
    if (target === source.folder || allowed === undefined) return null;
    const fine = allowed.includes(target) || (typeOnly && allowed.includes(`types:${target}`));
    return fine ? null : `${source.path} may not import ${specifier}`;
  }
  if (specifier.startsWith('node:')) {
    const portable = ['profile', 'wire', 'web'].includes(source.folder);
    const tooling = source.path === 'web/vite.config.ts';
    return portable && !tooling ? `${source.path} must run in a browser: ${specifier}` : null;
  }
  const name = specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');
  const homes = HOMES[name];
  if (homes === undefined) return `${source.path}: ${name} has no home in test/tidy.test.ts`;
  return homes.some((home) => source.path.startsWith(home))
    ? null
    : `${source.path} may not import ${name}; its home is ${homes.join(', ')}`;
}

function listFaults(check: (source: Source) => (string | null)[], of = shipped): string[] {
  return of.flatMap(check).filter((fault) => fault !== null);
}

describe('tidy', () => {
  test('the import reader sees every form', () => {
    const text = [
      "import type { A } from './a.ts';",
      "import { b } from '../store/b.ts';",
      "export { c } from 'hono';",
      "import 'd';",
      "const e = await import('koffi');",
      'import {',
      '  f,',
      "} from './f.ts';",
    ].join('\n');
    const seen = importsOf(text).map((i) => `${i.typeOnly ? 'type ' : ''}${i.specifier}`);
    expect(seen).toEqual(['type ./a.ts', '../store/b.ts', 'hono', 'd', './f.ts', 'koffi']);
  });

  test('a planted edge is caught', () => {
    const planted = { path: 'web/x.ts', folder: 'web', text: '', lines: [] };
    expect(edgeFault(planted, { typeOnly: true, specifier: '../store/store.ts' })).toContain('web');
    expect(edgeFault(planted, { typeOnly: false, specifier: 'koffi' })).toContain('home');
    expect(edgeFault(planted, { typeOnly: false, specifier: 'node:fs' })).toContain('browser');
  });

  test('folders import only those below them, packages have one home', () => {
    expect(
      listFaults((source) =>
        IMPORTS[source.folder] === undefined
          ? []
          : importsOf(source.text).map((edge) => edgeFault(source, edge)),
      ),
    ).toEqual([]);
  });

  test('every folder of shipped code is in the import table', () => {
    const outside = new Set(['tools', 'bin', 'test', 'bench']);
    const folders = new Set(shipped.filter((s) => s.path.includes('/')).map((s) => s.folder));
    expect([...folders].filter((f) => IMPORTS[f] === undefined && !outside.has(f))).toEqual([]);
  });

  test('only one file opens the database', () => {
    const opens = shipped.filter((s) => /DuckDBInstance\.create|duckdb\.open\(/.test(s.text));
    expect(opens.map((s) => s.path)).toHaveLength(opens.length === 0 ? 0 : 1);
  });

  test(`files have at most ${MAX_FILE_LINES} lines of ${MAX_COLUMNS} columns`, () => {
    expect(
      listFaults((source) => [
        source.lines.length > MAX_FILE_LINES + 1
          ? `${source.path} has ${source.lines.length} lines`
          : null,
        ...source.lines.map((line, i) =>
          line.length > MAX_COLUMNS && !/https?:\/\/|['"`]/.test(line)
            ? `${source.path}:${i + 1} has ${line.length} columns`
            : null,
        ),
      ]),
    ).toEqual([]);
  });

  test('the function limit that Biome enforces is ours', () => {
    const biome = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    const rule = biome.linter.rules.complexity.noExcessiveLinesPerFunction;
    expect([rule.level, rule.options.maxLines]).toEqual(['error', MAX_JS_FUNCTION_LINES]);
  });

  test('folders stay small enough to know', () => {
    const count = new Map<string, number>();
    for (const { path } of shipped) count.set(dirname(path), (count.get(dirname(path)) ?? 0) + 1);
    expect([...count].filter(([, files]) => files > MAX_FILES_PER_FOLDER)).toEqual([]);
  });

  test('names say what a file is about', () => {
    const bad = sources.map((s) => s.path).filter((path) => BANNED_NAMES.test(path));
    const shape = /^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z0-9]+)*\.[a-z]+$/;
    const odd = sources.map((s) => s.path).filter((p) => !shape.test(p.split('/').pop() ?? ''));
    expect([...bad, ...odd]).toEqual([]);
  });

  test('words that hide something', () => {
    const own = 'test/tidy.test.ts';
    expect(
      listFaults(
        (source) =>
          source.lines.map((line, i) => {
            const hit = BANNED_WORDS.find(([word]) => word.test(line));
            return hit === undefined ? null : `${source.path}:${i + 1} ${hit[0]}: ${hit[1]}`;
          }),
        sources.filter((source) => source.path !== own),
      ),
    ).toEqual([]);
  });

  test('every skipped test prints its reason', () => {
    const skip = /\b(?:it|test|describe)\.(?:skip|todo)\(|\.skipIf\(/;
    const faults = sources
      .filter((s) => isTest(s.path) && s.path !== 'test/tidy.test.ts')
      .filter((s) => skip.test(s.text) && !/console\.(log|warn)|ctx\.skip\(/.test(s.text))
      // That module prints the reason once for all browser tests.
      .filter((s) => !s.text.includes('{ missing') || !s.text.includes('./web-session.ts'));
    expect(faults.map((s) => s.path)).toEqual([]);
  });
});
