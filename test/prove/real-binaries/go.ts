/** Stripped Go programs: those of this machine's releases, and one of Go 1.14 from npm. */
import { cpSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { missingTools, runTool } from '../../fixtures/debuginfo-tools.ts';
import type { RealBinary } from './local.ts';

const PROGRAM = fileURLToPath(new URL('../../fixtures/debuginfo/go-program', import.meta.url));
/** Debian's golang-1.19-go: tables of the layout before Go 1.20. */
const OLD_GO = '/usr/lib/go-1.19/bin/go';
/** A program that was published with its DWARF: Go 1.14, tables of the first layout. */
const PUBLISHED = 'esbuild-linux-64@0.5.3';

const SERVER = `package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
)

func main() {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.URL)
	}))
	defer s.Close()
	r, err := http.Get(s.URL)
	fmt.Println(r, err)
}
`;

interface GoBuild {
  what: string;
  source: 'generics' | 'server' | 'compiler';
  options?: readonly string[];
  link?: string;
  env?: Record<string, string>;
  tools?: readonly string[];
}

const EXTERNAL = { CGO_ENABLED: '1' };
const BUILDS: readonly GoBuild[] = [
  { what: 'generics', source: 'generics' },
  { what: 'server', source: 'server' },
  { what: 'server arm64', source: 'server', env: { GOARCH: 'arm64' } },
  { what: 'server 386', source: 'server', env: { GOARCH: '386' } },
  { what: 'server pie', source: 'server', options: ['-buildmode=pie'], env: EXTERNAL },
  { what: 'server ld', source: 'server', link: '-linkmode=external', env: EXTERNAL },
  {
    what: 'server pie lld',
    source: 'server',
    options: ['-buildmode=pie'],
    link: '-linkmode=external -extldflags=-fuse-ld=lld',
    env: EXTERNAL,
    tools: ['ld.lld'],
  },
  { what: 'cmd/compile', source: 'compiler' },
];

export function goBinaries(folder: string, log: (line: string) => void): RealBinary[] {
  const absent = missingTools(['go']);
  if (absent.length > 0) {
    log('not here: go');
    return [];
  }
  const builds = BUILDS.filter(({ what, tools = [] }) => {
    const missing = missingTools(tools);
    if (missing.length > 0) log(`no ${what}: ${missing.join(', ')} not here`);
    return missing.length === 0;
  });
  const binaries = builds.map((build) => buildGo('go', build, folder));
  if (existsSync(OLD_GO)) {
    // DWARF of Go 1.19 has a few wrong lines; where lld linked, Go's own reader cannot decide.
    const old = builds.filter(({ source, tools }) => source !== 'compiler' && tools === undefined);
    binaries.push(...old.map((build) => buildGo(OLD_GO, build, folder)));
  } else log(`not here: ${OLD_GO} (golang-1.19-go)`);
  return [...binaries, ...publishedProgram(folder, log)];
}

export function buildGo(go: string, build: GoBuild, folder: string): RealBinary {
  const isOld = go === OLD_GO;
  const what = `Go ${isOld ? '1.19 ' : ''}${build.what}`;
  const oracle = join(folder, what.replaceAll(/\W/g, '-'));
  const root = isOld ? { GOROOT: '/usr/lib/go-1.19' } : {};
  const env = {
    ...{ CGO_ENABLED: '0', GOFLAGS: '-mod=mod -buildvcs=false', GOTOOLCHAIN: 'local' },
    ...root,
    ...build.env,
  };
  const cwd = sourceFolder(build.source, folder);
  const target = build.source === 'compiler' ? 'cmd/compile' : '.';
  const link = (path: string, flags: string): void => {
    const args = [...(build.options ?? []), `-ldflags=${flags} ${build.link ?? ''}`];
    runTool(go, ['build', ...args, '-o', path, target], { cwd, env });
  };
  link(oracle, '-compressdwarf=false');
  if (build.env?.GOARCH !== 'arm64') return stripped(what, oracle);
  // The binutils here know no arm64; Go's own linker leaves the code where it is.
  const path = `${oracle}.stripped`;
  link(path, '-s -w');
  return { what: `${what}, stripped`, path, oracle, kind: 'stripped Go' };
}

function sourceFolder(source: GoBuild['source'], folder: string): string {
  const path = join(folder, `source-${source}`);
  if (existsSync(path)) return path;
  if (source === 'generics') cpSync(PROGRAM, path, { recursive: true });
  else {
    mkdirSync(path);
    writeFileSync(join(path, 'main.go'), SERVER);
  }
  writeFileSync(join(path, 'go.mod'), 'module example\n\ngo 1.19\n');
  return path;
}

function stripped(what: string, oracle: string): RealBinary {
  const path = `${oracle}.stripped`;
  runTool('strip', ['-o', path, oracle]);
  return { what: `${what}, stripped`, path, oracle, kind: 'stripped Go' };
}

function publishedProgram(folder: string, log: (line: string) => void): RealBinary[] {
  try {
    runTool('npm', ['pack', '--silent', '--pack-destination', folder, PUBLISHED]);
  } catch {
    log(`not to be had: ${PUBLISHED} (npm)`);
    return [];
  }
  const archive = join(folder, `${PUBLISHED.replace('@', '-')}.tgz`);
  runTool('tar', ['xzf', archive, '-C', folder, 'package/bin/esbuild']);
  const oracle = join(folder, 'go-1-14');
  // LLVM 19 no longer reads .zdebug sections.
  const program = join(folder, 'package/bin/esbuild');
  runTool('objcopy', ['--decompress-debug-sections', program, oracle]);
  return [stripped('Go 1.14 esbuild', oracle)];
}
