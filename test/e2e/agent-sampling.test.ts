/**
 * Real sampling, before anything is sent: a C and a Node program with known shares of CPU time, and
 * the law that no sample is lost silently, over processes that exit.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Profile } from 'pprof-format';
import { expect, test } from 'vitest';
import { type CollectedWindow, Collector } from '../../agent/collector.ts';
import { SENT, unaccounted } from '../../profile/window-counters.ts';
import { openByteSource } from '../../symbolizer/elf/byte-reader.ts';
import { readElfHeader, readElfIdentity, readSections } from '../../symbolizer/elf/elf.ts';
import { readCodeSymbols } from '../../symbolizer/elf/elf-symbols.ts';
import { symbolName } from '../../symbolizer/symbol-file/symbol-ranges.ts';

const WORKLOADS = join(import.meta.dirname, '../fixtures/workloads');
const sleep = (ms: number) => new Promise((done) => setTimeout(done, ms));

/** One row of a pprof as text: `binary!name` a frame, leaf first; names by `nameOf` where none. */
interface Stack {
  frames: string[];
  count: number;
}

type NameOf = (buildId: string, address: number) => string | null;

function readStacks(pprof: Uint8Array, nameOf: NameOf): Stack[] {
  const profile = Profile.decode(pprof);
  const text = (index: number | bigint) => profile.stringTable.strings[Number(index)] ?? '';
  const rows = <T extends { id: number | bigint }>(table: T[]) =>
    new Map(table.map((row) => [Number(row.id), row]));
  const mappings = rows(profile.mapping);
  const functions = rows(profile.function);
  const locations = rows(profile.location);
  const frameText = (id: number | bigint) => {
    const location = locations.get(Number(id))!;
    const mapping = mappings.get(Number(location.mappingId))!;
    const named = functions.get(Number(location.line[0]?.functionId ?? 0));
    const file = text(mapping.filename).split('/').at(-1);
    const address = Number(location.address);
    const name = named ? text(named.name) : nameOf(text(mapping.buildId), address);
    return `${file}!${name ?? `0x${address.toString(16)}`}`;
  };
  return profile.sample.map((sample) => ({
    frames: sample.locationId.map(frameText),
    count: Number(sample.value[0]),
  }));
}

/** Names from the program's own symbol table, as a server would find them. */
function namesOf(path: string): NameOf {
  const source = openByteSource(path);
  const header = readElfHeader(source);
  const { buildId } = readElfIdentity(source);
  const symbols = readCodeSymbols(source, header, readSections(source, header));
  return (id, address) => {
    if (id !== buildId) return null;
    for (let row = 0; row < symbols.count; row++) {
      const start = symbols.start[row]!;
      if (start <= address && address < start + symbols.size[row]!) {
        return Buffer.from(symbolName(symbols, row)).toString();
      }
    }
    return null;
  };
}

async function collect(frequencyHz: number, windowMs: number, runMs: number) {
  const windows: CollectedWindow[] = [];
  const onWindow = (window: CollectedWindow) => windows.push(window);
  const labels = { test: 'agent-sampling' };
  const collector = new Collector({ frequencyHz, windowMs, host: 'here', labels, onWindow });
  collector.start();
  await sleep(runMs);
  await collector.stop();
  return windows;
}

function stacksOf(windows: CollectedWindow[], comm: string, nameOf: NameOf): Stack[] {
  return windows.flatMap(({ content, startMs, lengthMs }) =>
    content.series
      .filter(({ labels }) => labels.comm === comm)
      .flatMap(({ profile }) =>
        readStacks(profile.encode({ startMs, lengthMs, periodNs: 1 }), nameOf),
      ),
  );
}

/** The two-sided 99.9 % bound of a binomial share, with the correction for whole counts. */
function expectShare(count: number, total: number, share: number, what: string): void {
  const bound = 3.291 * Math.sqrt((share * (1 - share)) / total) + 0.5 / total;
  expect(Math.abs(count / total - share), `${what}: ${count} of ${total}`).toBeLessThan(bound);
}

async function started(child: ChildProcess): Promise<ChildProcess> {
  await once(child.stdout!, 'data');
  return child;
}

const sum = (stacks: Stack[], has = (_: string[]) => true) =>
  stacks.reduce((total, { frames, count }) => total + (has(frames) ? count : 0), 0);

test('a C program: shares within the binomial bound, names right, stacks to the root', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-agent-'));
  const program = join(folder, 'split');
  const flags = ['-O1', '-fno-omit-frame-pointer', '-o', program];
  execFileSync('gcc', [...flags, join(WORKLOADS, 'split.c')]);
  const child = await started(spawn(program, ['60'], { stdio: ['ignore', 'pipe', 'inherit'] }));
  try {
    const windows = await collect(99, 4_000, 10_000);
    const stacks = stacksOf(windows, 'split', namesOf(program));
    const total = sum(stacks);
    const burning = sum(stacks, (frames) => frames.some((f) => f.startsWith('split!burn_')));
    const drawn = stacks.map(({ frames, count }) => `${count} ${frames.join(' ')}`).join('\n');
    expect(total, drawn).toBeGreaterThan(200);
    // A sample inside the C library, which has no frame pointers, misses its caller.
    expect(burning / total, drawn).toBeGreaterThan(0.93);
    for (const [name, share] of [
      ['burn_sixty', 0.6],
      ['burn_thirty', 0.3],
      ['burn_ten', 0.1],
    ] as const) {
      const count = sum(stacks, (frames) => frames.includes(`split!${name}`));
      expectShare(count, burning, share, `${name}\n${drawn}`);
    }
    const rooted = sum(stacks, (frames) => frames.join(' ').includes('split!run_round split!main'));
    expect(rooted / total, drawn).toBeGreaterThan(0.99);
    const labels = windows[1]?.content.series.find((s) => s.labels.comm === 'split')?.labels;
    expect(labels).toMatchObject({
      comm: 'split',
      exe: program,
      host: 'here',
      service_name: 'split',
      test: 'agent-sampling',
    });
  } finally {
    child.kill('SIGKILL');
    rmSync(folder, { recursive: true });
  }
});

test('a Node program with --perf-basic-prof: names from its perf map', async () => {
  const script = join(WORKLOADS, 'split.cjs');
  const child = await started(
    spawn(process.execPath, ['--perf-basic-prof', script, '60'], {
      // V8 leaves a log where it runs.
      cwd: tmpdir(),
      stdio: ['ignore', 'pipe', 'inherit'],
    }),
  );
  try {
    await sleep(2_000);
    const windows = await collect(99, 10_000, 8_000);
    const stacks = stacksOf(windows, 'node', () => null).filter(({ frames }) =>
      frames.some((frame) => /\[jit\]!.*split\.cjs/.test(frame)),
    );
    const has = (name: string) => (frames: string[]) =>
      frames.some((frame) => frame.includes(name));
    const three = sum(stacks, has('burnThree '));
    const one = sum(stacks, has('burnOne '));
    const drawn = stacks.map(({ frames, count }) => `${count} ${frames.join(' ')}`).join('\n');
    expect(three + one, drawn).toBeGreaterThan(200);
    expectShare(three, three + one, 0.75, `burnThree\n${drawn}`);
  } finally {
    child.kill('SIGKILL');
  }
});

test('no sample is lost silently, over processes that exit', async () => {
  const churn = spawn('sh', ['-c', 'while :; do cat /proc/*/stat; done'], {
    stdio: 'ignore',
    detached: true,
  });
  try {
    const windows = await collect(499, 1_000, 5_000);
    expect(windows.length).toBeGreaterThan(3);
    for (const { content, startMs, lengthMs } of windows) {
      const { counters, series } = content;
      expect(unaccounted(counters), JSON.stringify(counters)).toBe(0);
      const times = { startMs, lengthMs, periodNs: 1 };
      const rows = series.flatMap((s) => readStacks(s.profile.encode(times), () => null));
      expect(sum(rows)).toBe(counters[SENT]);
      expect(rows.every(({ frames }) => frames.length > 0)).toBe(true);
    }
    const sent = windows.reduce((total, w) => total + (w.content.counters[SENT] ?? 0), 0);
    expect(sent).toBeGreaterThan(100);
    // Programs that were gone before /proc was read still have their names.
    const comms = windows.flatMap((w) => w.content.series.map((s) => s.labels.comm));
    expect(comms).toContain('cat');
  } finally {
    process.kill(-churn.pid!, 'SIGKILL');
  }
});
