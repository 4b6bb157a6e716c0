/** Sorting many texts takes a tenth of a second: here it gives way to other work. */
import { Turn } from './turn.ts';

/** Texts that are sorted at once, about a millisecond. */
const RUN_LENGTH = 1_024;

/** The texts in the order of `<`, as Array.sort has them. */
export async function sortTexts(texts: Iterable<string>): Promise<string[]> {
  const all = [...texts];
  const turn = new Turn();
  let runs: string[][] = [];
  for (let at = 0; at < all.length; at += RUN_LENGTH) {
    runs.push(all.slice(at, at + RUN_LENGTH).sort());
    if (turn.isOver()) await turn.next();
  }
  while (runs.length > 1) {
    const next: string[][] = [];
    for (let at = 0; at < runs.length; at += 2) {
      next.push(await mergeRuns(runs[at] ?? [], runs[at + 1] ?? [], turn));
    }
    runs = next;
  }
  return runs[0] ?? [];
}

async function mergeRuns(a: string[], b: string[], turn: Turn): Promise<string[]> {
  const merged: string[] = [];
  let [i, j] = [0, 0];
  while (i < a.length && j < b.length) {
    if ((a[i] as string) <= (b[j] as string)) merged.push(a[i++] as string);
    else merged.push(b[j++] as string);
    if (merged.length % RUN_LENGTH === 0 && turn.isOver()) await turn.next();
  }
  while (i < a.length) merged.push(a[i++] as string);
  while (j < b.length) merged.push(b[j++] as string);
  return merged;
}
