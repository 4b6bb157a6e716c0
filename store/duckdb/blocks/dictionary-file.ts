/** What a block's files of dictionaries hold: the tables' rows, and what a start needs of stacks. */
import { columnNames } from '../schema.ts';
import type { DictionaryTable } from './block.ts';

/**
 * Number of a stack's locations, beside them: a start needs it at once, and to count the lists it
 * would have to read them. Older files lack it.
 */
export const DEPTH = 'depth';
/** SQL: the same of a row without that column. */
export const COUNTED_DEPTH = 'len(locations)::UINTEGER';

/** SQL: the rows of a source, which may be files with and without depths, as a file has them. */
export function dictionaryRows(table: DictionaryTable, source: string): string {
  const columns = columnNames(table);
  if (table === 'stacks') columns.push(`${COUNTED_DEPTH} AS ${DEPTH}`);
  return `SELECT ${columns.join(', ')} FROM ${source} ORDER BY id`;
}
