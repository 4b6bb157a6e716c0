/** Parquet files in SQL. */
import { sqlText } from '../schema.ts';

/**
 * SQL: the rows of files of one table. Paths are patterns to DuckDB, and folders called `a=b` are
 * columns to it unless it is told not to look.
 */
export function parquetRows(paths: readonly string[]): string {
  const literal = paths.map((path) => sqlText(path.replaceAll(/[[*?]/g, '[$&]')));
  return `read_parquet([${literal.join(', ')}], hive_partitioning = false)`;
}
