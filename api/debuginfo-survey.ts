/**
 * Tells the symbolizer now and then which binaries profiles name: those are in use, and what is
 * missing of them is looked for also where no agent asks.
 */
import { EverflameError } from '../profile/errors.ts';
import { formatProfileType } from '../profile/select/profile-type.ts';
import type { BuildId, EpochMs } from '../profile/units.ts';
import type { Store } from '../store/store.ts';
import type { Symbolizer } from '../symbolizer/symbolizer.ts';
import type { Queries } from './query/params.ts';

export interface DebuginfoSurveyOptions {
  store: Pick<Store, 'profileTypes'>;
  queries: Pick<Queries, 'buildWeights'>;
  symbolizer: Pick<Symbolizer, 'notice'>;
  clock: () => EpochMs;
  /** One line about a survey that failed through a fault of ours. */
  log(line: string): void;
}

const INTERVAL_MS = 60_000;
/** Profiles may arrive late. */
const LOOK_BACK_MS = 10 * 60_000;
/** Profile types that are looked through. */
const MAX_TYPES = 64;

export function startDebuginfoSurvey(options: DebuginfoSurveyOptions): {
  close(): Promise<void>;
} {
  const stop = new AbortController();
  let running: Promise<void> = Promise.resolve();
  let isRunning = false;
  const timer = setInterval(() => {
    if (isRunning) return;
    isRunning = true;
    running = surveyBinaries(options, stop.signal)
      .catch((error: unknown) => {
        // Overloaded or closing: the next one will do.
        if (error instanceof EverflameError || stop.signal.aborted) return;
        const why = error instanceof Error ? (error.stack ?? error.message) : String(error);
        options.log(`looking for binaries without debug information failed: ${why}`);
      })
      .finally(() => {
        isRunning = false;
      });
  }, INTERVAL_MS);
  timer.unref();
  return {
    close: async () => {
      clearInterval(timer);
      stop.abort();
      await running;
    },
  };
}

/** One look at the last minutes. Types of one name may come from different writers: all count. */
export async function surveyBinaries(
  { store, queries, symbolizer, clock }: Omit<DebuginfoSurveyOptions, 'log'>,
  signal: AbortSignal,
): Promise<void> {
  const now = clock();
  const range = { from: (now - LOOK_BACK_MS) as EpochMs, to: now };
  const types = await store.profileTypes({ matchers: [], range });
  const caller = { client: 'debuginfo survey', signal };
  const files = new Map<string, string>();
  for (const type of types.slice(0, MAX_TYPES)) {
    const query = `${formatProfileType(type)}{}`;
    const { builds } = await queries.buildWeights({ query, range }, caller);
    for (const { needsSymbols, buildId, file } of builds) {
      if (needsSymbols && buildId !== '') files.set(buildId, file);
    }
  }
  const used = [...files].map(([buildId, file]) => ({ buildId: buildId as BuildId, file }));
  symbolizer.notice(used);
}
