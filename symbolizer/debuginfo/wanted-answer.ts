/** Whether a file that a sender has could say more than what is here. */
import { damageOf } from '../left-out.ts';
import { SymbolQuality } from '../symbol-file/symbol-quality.ts';
import type { WantedQuestion } from '../symbolizer.ts';
import type { DebuginfoEntry } from './debuginfo-entry.ts';
import { qualityName, qualityOf } from './debuginfo-words.ts';

/** Why nothing is wanted; null if it is. */
export function refusalOf(
  question: WantedQuestion,
  entry: DebuginfoEntry | undefined,
  maxBytes: number,
  nowMs: number,
): string | null {
  const { kind, sizeBytes } = question;
  if (!(sizeBytes > 0 && sizeBytes <= maxBytes)) return `over the limit of ${maxBytes} bytes`;
  if (entry === undefined) return null;
  if (nowMs < entry.evictedUntilMs) return notBefore(entry.problem, entry.evictedUntilMs);
  const isSame = (file: { kind: string; sizeBytes: number }) =>
    file.kind === kind && file.sizeBytes === sizeBytes;
  if (entry.pending.some(isSame)) return 'it waits for conversion';
  const have = entry.generation > 0 ? `have ${qualityName(entry.facts.quality)}` : entry.problem;
  const tried = entry.tried.findLast((file) => isSame(file) && nowMs < file.untilMs);
  if (tried !== undefined) {
    const isFinal = tried.untilMs === Number.MAX_SAFE_INTEGER;
    return isFinal ? have : notBefore(entry.problem, tried.untilMs);
  }
  if (entry.generation === 0) return null;
  if (kind === 'split') return entry.missingSplit > 0 ? null : have;
  // The program's own headers tell offsets in it from addresses.
  if (kind === 'executable' && !entry.hasSegments) return null;
  const more = promisedQuality(question) - entry.facts.quality;
  if (more === 0 && damageOf(entry.leftOut) > 0) return null;
  return more > 0 ? null : have;
}

/** What the sender says that the file can say; an older one says nothing. */
function promisedQuality({ kind, quality }: WantedQuestion): SymbolQuality {
  if (quality !== undefined) return qualityOf(quality);
  return kind === 'executable' ? SymbolQuality.exported : SymbolQuality.lines;
}

function notBefore(problem: string, timeMs: number): string {
  return `${problem} Not before ${new Date(timeMs).toISOString()}`.trim();
}
