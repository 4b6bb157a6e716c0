/**
 * Whether rows were removed since the dictionaries were last looked through for what nothing uses:
 * a row of `meta`, there or not.
 */
import type { BlockChange } from './block-change.ts';

const NAME = "name = 'rows_removed'";

export async function areRowsRemoved(change: BlockChange): Promise<boolean> {
  return (await change.query(`SELECT value FROM meta WHERE ${NAME}`)).rows > 0;
}

export async function noteRemovedRows(change: BlockChange): Promise<void> {
  await change.query(
    `INSERT INTO meta SELECT 'rows_removed', '1' WHERE NOT EXISTS (FROM meta WHERE ${NAME})`,
  );
}

export async function forgetRemovedRows(change: BlockChange): Promise<void> {
  await change.query(`DELETE FROM meta WHERE ${NAME}`);
  change.changesRows = true;
}
