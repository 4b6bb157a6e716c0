/**
 * `npm run prove -- NAME [--seed N] [--runs N]`: the proofs that are too long for `npm test`, which
 * runs the same functions on a small fixed sample. A proof runs in parts; what is done is kept in
 * .cache/prove, so an interrupted one goes on where it stopped. A result is added to
 * bench/results.md with date, machine and commit.
 */
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { recordResult } from '../../bench/results.ts';
import { combineLines } from './proof-lines.ts';
import { PROOFS } from './proofs.ts';

interface Progress {
  seed: number;
  runs: number;
  done: number;
  seconds: number;
  lines: string[];
}

const FOLDER = '.cache/prove';

function readProgress(path: string): Progress | null {
  try {
    return JSON.parse(readFileSync(path, 'utf8')) as Progress;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

async function prove(name: string, seed: number, runs: number | undefined): Promise<void> {
  const proof = PROOFS[name];
  if (proof === undefined) {
    throw new Error(`no proof "${name}"; there are: ${Object.keys(PROOFS).join(', ')}`);
  }
  const total = runs ?? proof.runs;
  const path = join(FOLDER, `${name}.json`);
  mkdirSync(FOLDER, { recursive: true });
  const kept = readProgress(path);
  const goOn = kept !== null && kept.seed === seed && kept.runs === total;
  const state: Progress = goOn ? kept : { seed, runs: total, done: 0, seconds: 0, lines: [] };
  if (goOn) console.log(`going on after ${state.done} of ${total} runs`);

  console.log(`${name}: ${proof.claim}`);
  while (state.done < total) {
    const part = Math.floor(state.done / proof.runsPerPart);
    const count = Math.min(proof.runsPerPart, total - state.done);
    const start = performance.now();
    const line = await proof.run({ seed: seed + part, runs: count, log: console.log });
    state.done += count;
    state.seconds += (performance.now() - start) / 1000;
    state.lines.push(line);
    writeFileSync(path, JSON.stringify(state));
    console.log(`${state.done}/${total}: ${line}`);
  }
  const title = `${name} (seed ${seed}, ${total} runs, ${state.seconds.toFixed(0)} s)`;
  recordResult(title, `${proof.claim}: ${combineLines(state.lines)}.`);
  rmSync(path);
}

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { seed: { type: 'string', default: '1' }, runs: { type: 'string' } },
});
const [name] = positionals;
if (name === undefined) {
  console.log('usage: npm run prove -- NAME [--seed N] [--runs N]');
  for (const [known, { claim }] of Object.entries(PROOFS)) console.log(`  ${known}: ${claim}`);
  process.exitCode = 2;
} else {
  await prove(
    name,
    Number(values.seed),
    values.runs === undefined ? undefined : Number(values.runs),
  );
}
