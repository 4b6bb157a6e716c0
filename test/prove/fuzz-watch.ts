/** What every fuzzer promises of one input: no second of CPU time, no 256 MB of memory. */
import { collectGarbage } from '../garbage.ts';

const MAX_CPU_MS = 1_000;
const MAX_GROWTH_BYTES = 256 * 2 ** 20;
const MB = 2 ** 20;

export interface FuzzWatch {
  /** Call before and after an input; throws if it took too long or memory has grown too much. */
  begin(): void;
  end(accepted: boolean): void;
  runs: number;
  /** E.g. `1000 bodies, 12 accepted, slowest 3 ms, memory grew by 9 MB`. */
  summary(): string;
}

/**
 * Memory is judged by the growth of one input, and by what is still held after a collection: what
 * the collector has not come to yet is not held by anybody.
 */
export function watchFuzz(what: string): FuzzWatch {
  const rssAtStart = process.memoryUsage.rss();
  let cpuAtBegin = process.cpuUsage();
  let rssAtBegin = rssAtStart;
  let accepted = 0;
  let slowestMs = 0;
  let growth = 0;
  const check = (bytes: number, how: string) => {
    if (bytes > MAX_GROWTH_BYTES) throw new Error(`memory grew by ${bytes} bytes ${how}`);
  };
  return {
    runs: 0,
    begin() {
      rssAtBegin = process.memoryUsage.rss();
      cpuAtBegin = process.cpuUsage();
    },
    end(wasAccepted) {
      const { user, system } = process.cpuUsage(cpuAtBegin);
      const tookMs = (user + system) / 1_000;
      slowestMs = Math.max(slowestMs, tookMs);
      if (tookMs > MAX_CPU_MS) throw new Error(`one of the ${what} took ${tookMs} ms of CPU time`);
      if (wasAccepted) accepted++;
      this.runs++;
      const rss = process.memoryUsage.rss();
      check(rss - rssAtBegin, `with one of the ${what}`);
      if (rss - rssAtStart > MAX_GROWTH_BYTES) {
        collectGarbage();
        check(process.memoryUsage.rss() - rssAtStart, `over ${this.runs} ${what}`);
      }
      growth = Math.max(growth, process.memoryUsage.rss() - rssAtStart);
    },
    summary() {
      const figures = `slowest ${slowestMs.toFixed(0)} ms, memory grew by ${(growth / MB).toFixed(0)} MB`;
      return `${this.runs} ${what}, ${accepted} accepted, ${figures}`;
    },
  };
}
