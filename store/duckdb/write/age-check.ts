/** Profiles older than the retention would be removed at once: their sender is told instead. */
import { EverflameError } from '../../../profile/errors.ts';
import type { WriteBatch } from '../../store.ts';

export function checkAge({ profiles }: WriteBatch, oldestMs: number): void {
  for (const [row, { tsMs }] of profiles.entries()) {
    if (tsMs >= oldestMs) continue;
    const times = [tsMs, oldestMs].map((ms) => new Date(ms).toISOString());
    throw new EverflameError(
      'unprocessable',
      `a profile is of ${times[0]}, profiles before ${times[1]} are not kept`,
      {
        field: `profiles[${row}].time`,
        limit: '--retention-age',
        remedy: 'Push it sooner, or keep profiles longer.',
      },
    );
  }
}
