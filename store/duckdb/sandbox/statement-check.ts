/**
 * Whether a statement may run: judged by the tree that DuckDB's own parser makes of it, node by
 * node. What is not known to be harmless is refused, so that a form of a later DuckDB is, too.
 */
import { EverflameError } from '../../../profile/errors.ts';
import { ALLOWED_FUNCTIONS, TABLE_FUNCTIONS } from './allowed-functions.ts';

export const SQL_VIEWS = [
  'samples',
  'stacks',
  'functions',
  'series',
  'profiles',
  'windows',
] as const;
const VIEW_NAMES: ReadonlySet<string> = new Set(SQL_VIEWS);

/** A plain word cannot be the path of a file, which FROM reads as a table. */
const PLAIN_NAME = /^[a-z_][a-z0-9_]*$/;
/** What DuckDB's own tables and views are called; no table expression may hide one. */
const CATALOGUE_NAME = /^(duckdb|pg|pragma|sqlite)_/;

/** Kinds of expressions. Not here: parameters, which a statement has no values for. */
const EXPRESSIONS: ReadonlySet<string> = new Set([
  'BETWEEN',
  'CASE',
  'CAST',
  'COLLATE',
  'COLUMN_REF',
  'COMPARISON',
  'CONJUNCTION',
  'CONSTANT',
  'DEFAULT',
  'FUNCTION',
  'LAMBDA',
  'LAMBDA_REF',
  'OPERATOR',
  'POSITIONAL_REFERENCE',
  'STAR',
  'SUBQUERY',
  'TYPE',
  'WINDOW',
]);

/** Kinds of everything else that has one: queries, tables, clauses, directions and data types. */
const NODES: ReadonlySet<string> = new Set([
  ...['SELECT_NODE', 'SET_OPERATION_NODE', 'RECURSIVE_CTE_NODE', 'CTE_NODE'],
  ...['BASE_TABLE', 'SUBQUERY', 'JOIN', 'TABLE_FUNCTION', 'EXPRESSION_LIST', 'EMPTY', 'PIVOT'],
  ...['LIMIT_MODIFIER', 'LIMIT_PERCENT_MODIFIER', 'ORDER_MODIFIER', 'DISTINCT_MODIFIER'],
  ...['ORDER_DEFAULT', 'ASCENDING', 'DESCENDING'],
  ...['DECIMAL_TYPE_INFO', 'LIST_TYPE_INFO', 'STRUCT_TYPE_INFO', 'ARRAY_TYPE_INFO'],
  ...['STRING_TYPE_INFO', 'GENERIC_TYPE_INFO', 'INTEGER_LITERAL_TYPE_INFO', 'ANY_TYPE_INFO'],
  'UNBOUND_TYPE_INFO',
]);

type Tree = Record<string, unknown>;

/** `serialized`: what `json_serialize_sql` says of the text. Throws EverflameError `invalid`. */
export function checkStatement(serialized: string): void {
  const parsed = JSON.parse(serialized) as Tree;
  if (parsed.error !== false) throw notParsed(parsed);
  const statements = parsed.statements as unknown[];
  if (statements.length !== 1) {
    throw refused(`there are ${statements.length} statements`, 'Send exactly one SELECT.');
  }
  const trees = listTrees(statements[0]);
  const tables = new Set(VIEW_NAMES);
  for (const tree of trees) {
    for (const name of tableExpressions(tree)) tables.add(checkedName(name));
  }
  for (const tree of trees) checkTree(tree, tables);
}

/** Without recursion: a statement may be nested as deeply as its text is long. */
function listTrees(root: unknown): Tree[] {
  const trees: Tree[] = [];
  const open: unknown[] = [root];
  while (open.length > 0) {
    const next = open.pop();
    if (typeof next !== 'object' || next === null) continue;
    if (!Array.isArray(next)) trees.push(next as Tree);
    for (const child of Object.values(next)) open.push(child);
  }
  return trees;
}

/** The names that WITH gives to queries. */
function tableExpressions(tree: Tree): string[] {
  const entries = (tree.cte_map as { map?: { key: string }[] } | undefined)?.map ?? [];
  const names = entries.map(({ key }) => key);
  return typeof tree.cte_name === 'string' ? [...names, tree.cte_name] : names;
}

/**
 * The check does not follow which table expression is seen where. So that a name that is one in
 * another part of the statement reads nothing here, all of them must be names of nothing else.
 */
function checkedName(name: string): string {
  const lower = name.toLowerCase();
  if (PLAIN_NAME.test(lower) && !CATALOGUE_NAME.test(lower)) return lower;
  throw refused(
    `WITH may not define ${JSON.stringify(name.slice(0, 80))}`,
    'Use letters, digits and underscores, and no prefix of the catalogue (duckdb_, pg_).',
  );
}

function checkTree(tree: Tree, tables: ReadonlySet<string>): void {
  if (typeof tree.class === 'string') {
    if (tree.class === 'PARAMETER') throw refused('parameters have no values here', 'Write them.');
    if (!EXPRESSIONS.has(tree.class)) throw unknownForm(tree.class);
  } else if (typeof tree.type === 'string' && !NODES.has(tree.type)) {
    throw unknownForm(tree.type);
  }
  if ('function_name' in tree) checkFunction(tree, ALLOWED_FUNCTIONS);
  if (tree.class !== undefined) return;
  if (tree.type === 'TABLE_FUNCTION') checkFunction(tree.function as Tree, TABLE_FUNCTIONS);
  if (tree.type === 'BASE_TABLE') checkTable(tree, tables);
}

function checkFunction(tree: Tree, allowed: ReadonlySet<string>): void {
  const name = String(tree.function_name).toLowerCase();
  const home = `${tree.catalog ?? ''}${tree.schema ?? ''}`;
  if (allowed.has(name) && (home === '' || home === 'main')) return;
  throw refused(
    `the function ${name.slice(0, 80)} is not allowed`,
    `FROM takes the views and ${[...TABLE_FUNCTIONS].join(', ')}; docs/sql.md lists the others.`,
  );
}

function checkTable(tree: Tree, tables: ReadonlySet<string>): void {
  const name = String(tree.table_name);
  const home = `${tree.catalog_name}${tree.schema_name}`;
  if (tables.has(name.toLowerCase()) && home === '') return;
  const places = [tree.catalog_name, tree.schema_name, name].filter((place) => place !== '');
  const asked = JSON.stringify(places.join('.').slice(0, 80));
  throw new EverflameError('invalid', `there is no view ${asked}`, {
    field: 'sql',
    ...positionOf(tree.query_location),
    remedy: `The views are ${SQL_VIEWS.join(', ')}.`,
  });
}

function unknownForm(form: string): EverflameError {
  const name = form === 'SHOW_REF' ? 'DESCRIBE, SHOW and SUMMARIZE are' : `${form} is`;
  return refused(`${name} not allowed`, 'Send a SELECT over the views of docs/sql.md.');
}

function refused(message: string, remedy: string): EverflameError {
  return new EverflameError('invalid', message, { field: 'sql', remedy });
}

function notParsed(parsed: Tree): EverflameError {
  const message = String(parsed.error_message ?? 'the statement cannot be read');
  if (parsed.error_type !== 'parser') {
    return refused('only SELECT statements are allowed', 'Send exactly one SELECT.');
  }
  return new EverflameError('invalid', message.slice(0, 400), {
    field: 'sql',
    ...positionOf(Number(parsed.position)),
  });
}

/** DuckDB counts bytes, and says 2^64 - 1 where it does not know. */
function positionOf(location: unknown): { position?: number } {
  const known = typeof location === 'number' && Number.isSafeInteger(location);
  return known ? { position: location } : {};
}
