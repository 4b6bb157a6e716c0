import { expect, test } from 'vitest';
import { isFatal, toStoreError } from './store-error.ts';

const NO_ROOM = 'Could not write file "/d/everflame.duckdb": No space left on device';
const ENDED = 'database has been invalidated because of a previous fatal error.';

test.each([
  ['IO Error: No space left on device', 'storage-full', 'No space left on device', false],
  [`FATAL Error: Failed to create checkpoint: ${NO_ROOM}`, 'storage-full', NO_ROOM, true],
  [
    `Invalid Input Error: Attempting to execute a closed pending query result\nError: FATAL Error: ${NO_ROOM}`,
    'storage-full',
    NO_ROOM,
    true,
  ],
  [
    `FATAL Error: Failed: ${ENDED}\nOriginal error: "${NO_ROOM}"`,
    'storage-full',
    `: ${NO_ROOM}`,
    true,
  ],
  [
    `FATAL Error: Failed: ${ENDED}\nOriginal error: "a block is broken"`,
    'unavailable',
    'the database failed: a block is broken',
    true,
  ],
  ['Conversion Error: "FATAL Error: x"\nFATAL Error: y', 'unavailable', 'Conversion', false],
  ['INTERRUPT Error: Interrupted!', 'cancelled', 'the query was cancelled', false],
])('%j', (message, kind, reason, fatal) => {
  const error = toStoreError(new Error(message));
  expect(error).toMatchObject({ kind, message: expect.stringContaining(reason) });
  expect(error.message).not.toContain('\n');
  expect([isFatal(error), isFatal(new Error(message))]).toEqual([fatal, fatal]);
});
