/** Parquet files in SQL. */
import { sqlText } from '../schema.ts';

/**
 * SQL: the rows of files of one table. Paths are patterns to DuckDB, and folders called `a=b` are
 * columns to it unless it is told not to look.
 */
export function parquetRows(paths: readonly string[]): string {
  return `read_parquet([${paths.map(pathText).join(', ')}], hive_partitioning = false)`;
}

/**
 * SQL: whether a file has the column, and how many values its footer says the lists of another one
 * have, an empty one counting as one; a row of two numbers.
 */
export function columnFactsSql(path: string, column: string, lists: string): string {
  return `SELECT count(*) FILTER (path_in_schema = ${sqlText(column)})::DOUBLE,
      coalesce(sum(num_values) FILTER (starts_with(path_in_schema, ${sqlText(lists)})), 0)::DOUBLE
    FROM parquet_metadata(${pathText(path)})`;
}

function pathText(path: string): string {
  return sqlText(path.replaceAll(/[[*?]/g, '[$&]'));
}
