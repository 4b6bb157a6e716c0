/** Records figures in bench/results.md, newest last, with what is needed to read them later. */
import { execFileSync } from 'node:child_process';
import { appendFileSync } from 'node:fs';
import { cpus, release, totalmem } from 'node:os';

const FILE = 'bench/results.md';

/** One line: processor, cores, memory, kernel, Node. */
export function describeMachine(): string {
  const [first] = cpus();
  const gib = Math.round(totalmem() / 2 ** 30);
  const model = first?.model.trim() ?? 'unknown CPU';
  return `${cpus().length} x ${model}, ${gib} GiB, Linux ${release()}, Node ${process.version}`;
}

/** Appends a section: what ran and what it gave (Markdown; a table or a sentence). */
export function recordResult(title: string, body: string): void {
  const commit = execFileSync('git', ['rev-parse', '--short', 'HEAD']).toString().trim();
  const date = new Date().toISOString().slice(0, 16).replace('T', ' ');
  const text = `\n### ${title}\n\n${date} UTC, commit ${commit}, ${describeMachine()}\n\n${body}\n`;
  appendFileSync(FILE, text);
  console.log(text);
}
