/** `SEED FROM TO`: one share of the runs of fuzz-debuginfo; prints its progress, then its summary. */
import { fuzzDebuginfoRuns } from './fuzz-debuginfo.ts';

const [seed = 1, from = 1, to = 1] = process.argv.slice(2).map(Number);
console.log(await fuzzDebuginfoRuns({ seed, from, to, log: console.log }));
