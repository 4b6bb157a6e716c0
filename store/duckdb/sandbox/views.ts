/** The views of docs/sql.md over the files of a snapshot. */
import { REPLACES } from '../schema.ts';
import { parquetRows } from '../sql/parquet-source.ts';

/** Tables whose rows a snapshot has in files, each in at least one. */
export const SNAPSHOT_TABLES = [
  'strings',
  'functions',
  'locations',
  'stacks',
  'labelsets',
  'series',
  'types',
  'typesets',
  'agents',
  'samples',
  'profiles',
  'windows',
  'replaced_windows',
] as const;

/** Statements that make the views. The tables beneath are in a schema that no statement reaches. */
export function viewStatements(files: Readonly<Record<string, readonly string[]>>): string[] {
  const tables = SNAPSHOT_TABLES.map((table) => {
    return `CREATE VIEW stored.${table} AS FROM ${parquetRows(files[table] ?? [])}`;
  });
  return ['CREATE SCHEMA stored', ...tables, ...INNER, ...VIEWS];
}

const INNER = [
  // What a type's rows are read as: its own type, and the time that follows from a count.
  `CREATE TABLE stored.public_types AS
    SELECT id, type, false AS scaled FROM stored.types
    UNION ALL SELECT id, derived, true FROM stored.types WHERE derived <> ''`,
  // A number is followed by its unit; several values of one key are one text.
  `CREATE VIEW stored.sample_labels AS
    SELECT id, map(list(key ORDER BY key), list(value ORDER BY key)) AS labels FROM (
      SELECT id, label.key AS key, string_agg(
        coalesce(label.value, concat_ws(' ', label.number, nullif(label.unit, ''))), ', ') AS value
      FROM (SELECT id, unnest(from_json(labels, '[{"key": "VARCHAR", "value": "VARCHAR",
        "number": "VARCHAR", "unit": "VARCHAR"}]')) AS label FROM stored.labelsets)
      GROUP BY id, label.key) GROUP BY id`,
  // Functions of a location, innermost first. An address without a name is its binary's.
  `CREATE VIEW stored.frames AS
    WITH lines AS (
      SELECT id, unnest(line_function) AS function, generate_subscripts(line_function, 1) AS place
      FROM stored.locations),
    named AS (
      SELECT l.id, list(t.text ORDER BY l.place) AS names
      FROM lines l JOIN stored.functions f ON f.id = l.function
        JOIN stored.strings t ON t.id = f.name
      GROUP BY l.id)
    SELECT l.id, coalesce(n.names,
      [concat(parse_filename(b.text), '+0x', lower(to_hex(l.address)))]) AS names
    FROM stored.locations l JOIN stored.strings b ON b.id = l.binary_path
      LEFT JOIN named n ON n.id = l.id`,
  // Lists by number: of what many rows refer to, a look-up costs less than a join, and nothing if
  // its column is not asked for. list_select takes them as they are; [] would copy one per row.
  listByNumber('frame_list', 'stored.frames', 'names', 'stored.locations'),
  listByNumber('label_list', 'stored.sample_labels', 'labels', 'stored.labelsets'),
  `CREATE VIEW stored.type_names AS
    SELECT t.id, list(p.type ORDER BY p.type) AS types
    FROM (SELECT id, unnest(from_json(types, '["UINTEGER"]')) AS type FROM stored.typesets) t
      JOIN stored.public_types p ON p.id = t.type GROUP BY t.id`,
];

/** A view of one row: the values of all ids in one list, id n at place n + 1, NULL for none. */
export function listByNumber(
  view: string,
  source: string,
  value: string,
  numbered: string,
): string {
  return `CREATE VIEW stored.${view} AS
    SELECT list(s.value ORDER BY n.id) AS list
    FROM (SELECT unnest(range(coalesce(max(id)::BIGINT, -1) + 1)) AS id FROM ${numbered}) n
      LEFT JOIN (SELECT id, ${value} AS value FROM ${source}) s ON s.id = n.id`;
}

/** The view's rows; conditions on stored samples `s` and their type `t` may follow. */
export const SAMPLES_SELECT = `SELECT t.type, s.series, epoch_ms(s.ts_ms) AS ts, s.ts_ms, s.stack,
      list_select((SELECT list FROM stored.label_list), [s.labelset])[1] AS sample_labels,
      CASE WHEN t.scaled THEN s.value * p.period::BIGINT ELSE s.value END AS value
    FROM stored.samples s JOIN stored.public_types t ON t.id = s.type
      JOIN stored.series p ON p.id = s.series`;

const VIEWS = [
  `CREATE VIEW samples AS ${SAMPLES_SELECT}`,
  `CREATE VIEW stacks AS
    SELECT s.id AS stack, len(s.locations) AS depth,
      list_select((SELECT list FROM stored.frame_list), [s.locations[1] + 1])[1][1] AS leaf,
      flatten(list_select(
        (SELECT list FROM stored.frame_list), list_transform(s.locations, lambda x: x + 1)
      )) AS functions
    FROM stored.stacks s`,
  `CREATE VIEW functions AS
    SELECT f.id AS "function", n.text AS name, y.text AS system_name, p.text AS file,
      f.start_line
    FROM stored.functions f JOIN stored.strings n ON n.id = f.name
      JOIN stored.strings y ON y.id = f.system_name JOIN stored.strings p ON p.id = f.file`,
  `CREATE VIEW series AS
    SELECT id AS series, labels['service_name'] AS service_name, labels, period
    FROM (SELECT id, period,
        map_from_entries(list_transform(from_json(labels, '[["VARCHAR"]]'),
          lambda pair: {'key': pair[1], 'value': pair[2]})) AS labels
      FROM stored.series)`,
  `CREATE VIEW profiles AS
    SELECT p.series, epoch_ms(p.ts_ms) AS ts, p.ts_ms, p.duration_ms, t.types, a.agent, a.host,
      CASE WHEN p.seq < 0 THEN NULL ELSE p.seq END AS seq,
      flatten(from_json(concat('[', replace(p.comments, chr(10), ','), ']'), '[["VARCHAR"]]'))
        AS comments
    FROM stored.profiles p LEFT JOIN stored.type_names t ON t.id = p.types
      LEFT JOIN stored.agents a ON a.id + 1 = p.agent`,
  `CREATE VIEW windows AS
    SELECT a.agent, w.host, w.seq, epoch_ms(w.ts_ms) AS ts, w.ts_ms, w.length_ms,
      w.frequency AS frequency_hz, w.counter, w.value
    FROM stored.windows w LEFT JOIN stored.agents a ON a.id = w.agent
    WHERE NOT EXISTS (FROM stored.replaced_windows r WHERE ${REPLACES})`,
];
