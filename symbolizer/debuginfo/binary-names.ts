/** What binaries are called that nothing else is known of. */
import { basename } from 'node:path';
import { MAX_DEBUGINFO_LOOKUPS } from '../../profile/limits.ts';
import type { BuildId } from '../../profile/units.ts';

/** Of those that profiles named or that were looked for; the oldest is forgotten first. */
export class BinaryNames {
  readonly #files = new Map<BuildId, string>();

  /** Empty where only the build id is known, undefined where not even that. */
  get(buildId: BuildId): string | undefined {
    return this.#files.get(buildId);
  }

  forget(buildId: BuildId): void {
    this.#files.delete(buildId);
  }

  /** An empty name leaves the one before. */
  remember(buildId: BuildId, file: string): void {
    const name = file === '' ? (this.#files.get(buildId) ?? '') : file;
    this.#files.delete(buildId);
    this.#files.set(buildId, name);
    const [oldest] = this.#files.keys();
    if (this.#files.size > MAX_DEBUGINFO_LOOKUPS && oldest !== undefined) {
      this.#files.delete(oldest);
    }
  }
}

/** Strangers name files; what is shown is a basename of bounded length in printable characters. */
export function printableName(file: string): string {
  return basename(file)
    .replace(/[^\x20-\x7e]/g, '?')
    .slice(0, 255);
}
