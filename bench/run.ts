/** `npm run bench -- NAME`: runs one benchmark and records its figures in bench/results.md. */
import { benchAgent } from './agent.ts';
import { benchFg1 } from './fg1.ts';
import { benchIngest } from './ingest.ts';
import { recordResult } from './results.ts';
import { benchStore, readStoreOptions } from './store.ts';
import { benchStoreStart } from './store-start.ts';
import { benchSymbolizer } from './symbolizer.ts';

const BENCHES: Record<string, { title: string; run: () => Promise<string> }> = {
  ingest: {
    title: "Ingest and merges, the peers' corpus",
    run: () => benchIngest(Number(process.env.WINDOWS ?? 60)),
  },
  store: {
    title: 'The store under a fleet of 100 hosts',
    run: () => benchStore(readStoreOptions(process.argv.slice(3))),
  },
  'store-start': {
    title: 'A start with many stacks, and with many series',
    run: () =>
      benchStoreStart([
        { stacks: Number(process.env.STACKS ?? 10_000_000), series: 1_000 },
        { stacks: 1_000, series: Number(process.env.SERIES ?? 300_000) },
      ]),
  },
  fg1: { title: 'Decoding fg1', run: benchFg1 },
  agent: { title: 'What the agent costs', run: benchAgent },
  symbolizer: { title: 'Conversions and look-ups beside other symbolizers', run: benchSymbolizer },
};

const name = process.argv[2] ?? '';
const bench = BENCHES[name];
if (bench === undefined) {
  console.log(`usage: npm run bench -- ${Object.keys(BENCHES).join('|')}`);
  process.exitCode = 2;
} else {
  recordResult(`${bench.title} (npm run bench -- ${name})`, await bench.run());
}
