/**
 * One table-driven parser for every command: flags, then EVERFLAME_* variables, then the YAML file
 * of --config, then the default. An unknown key is an error that names the nearest valid one.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { parseDurationMs } from '../profile/duration.ts';
import { EverflameError } from '../profile/errors.ts';
import { suggestName } from '../profile/select/nearest.ts';

const require = createRequire(import.meta.url);

/** A configuration file is read whole; a larger one is not a configuration. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** One flag of a command. `read` takes one text per occurrence; none means not given. */
export interface Flag<T> {
  /** What stands after the flag in the help text; null for a switch. */
  placeholder: string | null;
  help: string;
  /** Its variable holds several values, apart by commas. */
  many: boolean;
  /** Throws an Error whose message goes on after `--name VALUE: `. */
  read(texts: readonly string[]): T;
}

export type FlagTable = Readonly<Record<string, Flag<unknown>>>;
export type FlagValues<F extends FlagTable> = {
  [K in keyof F]: F[K] extends Flag<infer T> ? T : never;
};
export type Environment = Readonly<Record<string, string | undefined>>;

export interface CommandLine<F extends FlagTable> {
  values: FlagValues<F>;
  /** What is neither a flag nor a flag's value; everything after `--`. */
  operands: string[];
  /** `--help` was given; `values` are then the defaults. */
  help: boolean;
}

function oneValue<T, D>(
  parse: (text: string) => T,
  fallback: D,
  placeholder: string,
  help: string,
  /** The default in the user's words; empty to say nothing. */
  shown = fallback === null ? '' : String(fallback),
): Flag<T | D> {
  return {
    placeholder,
    help: shown === '' ? help : `${help} (default ${shown})`,
    many: false,
    read: (texts) => {
      const text = texts.at(-1);
      return text === undefined ? fallback : parse(text);
    },
  };
}

/** Constructors of flags, by the kind of their value. Durations come in ms, sizes in bytes. */
export const flag = {
  text: <D extends string | null>(fallback: D, placeholder: string, help: string) =>
    oneValue<string, D>((text) => text, fallback, placeholder, help),
  number: <D extends number | null>(
    fallback: D,
    help: string,
    range: { min: number; max: number },
  ) => oneValue<number, D>((text) => parseNumber(text, range), fallback, 'N', help),
  duration: <D extends number | null>(fallback: D, help: string) =>
    oneValue<number, D>(readDuration, fallback, 'DURATION', help, showDuration(fallback)),
  bytes: <D extends number | null>(fallback: D, help: string) =>
    oneValue<number, D>(parseBytes, fallback, 'BYTES', help, showBytes(fallback)),
  choice: <const C extends string, D extends C | null>(
    choices: readonly C[],
    fallback: D,
    help: string,
  ) => oneValue<C, D>((text) => parseChoice(text, choices), fallback, choices.join('|'), help),
  switch: (help: string): Flag<boolean> => ({
    ...oneValue(parseSwitch, false, '', help, ''),
    placeholder: null,
  }),
  /** `--label k=v`, repeated. */
  pairs: (placeholder: string, help: string): Flag<Record<string, string>> => ({
    placeholder,
    help,
    many: true,
    read: (texts) => Object.fromEntries(texts.map(parsePair)),
  }),
  /** `--filter FILTER`, repeated, each as it is. */
  texts: (placeholder: string, help: string): Flag<readonly string[]> => ({
    placeholder,
    help,
    many: false,
    read: (texts) => texts,
  }),
  /** `--debuginfo-path DIR`, repeated; one text may hold several, apart by commas or spaces. */
  list: (
    fallback: readonly string[],
    placeholder: string,
    help: string,
    parse: (text: string) => string = (text) => text,
  ): Flag<readonly string[]> => ({
    placeholder,
    help: fallback.length === 0 ? help : `${help} (default ${fallback.join(', ')})`,
    many: true,
    read: (texts) => {
      if (texts.length === 0) return fallback;
      return texts.flatMap((text) =>
        text
          .split(/[\s,]+/)
          .filter((one) => one !== '')
          .map(parse),
      );
    },
  }),
};

function readDuration(text: string): number {
  const ms = parseDurationMs(text);
  if (ms === null) throw new Error('is not a duration; write for example 500ms, 10s or 1h30m');
  return ms;
}

const BYTE_UNITS: Record<string, number> = {
  '': 1,
  B: 1,
  KB: 1e3,
  MB: 1e6,
  GB: 1e9,
  TB: 1e12,
  KIB: 2 ** 10,
  MIB: 2 ** 20,
  GIB: 2 ** 30,
  TIB: 2 ** 40,
};

/** `50GB` is 50e9 bytes, `50GiB` 50 x 2^30; without a unit, bytes. */
export function parseBytes(text: string): number {
  const match = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text);
  const unit = match === null ? undefined : BYTE_UNITS[(match[2] ?? '').toUpperCase()];
  if (match === null || unit === undefined) {
    throw new Error('is not a size; write for example 512MB, 50GB or 1GiB');
  }
  return Math.round(Number(match[1]) * unit);
}

const DAY_MS = 86_400_000;

function showDuration(ms: number | null): string {
  if (ms === null) return '';
  if (ms >= DAY_MS && ms % DAY_MS === 0) return `${ms / DAY_MS}d`;
  return ms % 1000 === 0 ? `${ms / 1000}s` : `${ms}ms`;
}

function showBytes(bytes: number | null): string {
  if (bytes === null) return '';
  const unit = ['GB', 'MB', 'KB'].find((name) => bytes % (BYTE_UNITS[name] ?? 1) === 0) ?? 'B';
  return `${bytes / (BYTE_UNITS[unit] ?? 1)}${unit}`;
}

function parseNumber(text: string, range: { min: number; max: number }): number {
  const value = text.trim() === '' ? Number.NaN : Number(text);
  if (!(value >= range.min && value <= range.max)) {
    throw new Error(`is not a number from ${range.min} to ${range.max}`);
  }
  return value;
}

function parseChoice<C extends string>(text: string, choices: readonly C[]): C {
  const choice = choices.find((candidate) => candidate === text);
  if (choice === undefined) throw new Error(`is none of ${choices.join(', ')}`);
  return choice;
}

function parseSwitch(text: string): boolean {
  if (text === 'true' || text === '1') return true;
  if (text === 'false' || text === '0') return false;
  throw new Error('is neither true nor false');
}

function parsePair(text: string): [string, string] {
  const at = text.indexOf('=');
  if (at <= 0) throw new Error('is not of the form name=value');
  return [text.slice(0, at), text.slice(at + 1)];
}

const VARIABLE_PREFIX = 'EVERFLAME_';

/** The variable of a flag: `http-address` -> `EVERFLAME_HTTP_ADDRESS`. */
export function environmentName(name: string): string {
  return `${VARIABLE_PREFIX}${name.toUpperCase().replaceAll('-', '_')}`;
}

export function hasOwnVariable(env: Environment): boolean {
  return Object.keys(env).some((name) => name.startsWith(VARIABLE_PREFIX));
}

/** Refuses EVERFLAME_* variables that no flag of any command reads. */
export function checkEnvironment(env: Environment, tables: readonly FlagTable[]): void {
  const known = new Set(['config', ...tables.flatMap((table) => Object.keys(table))]);
  const names = [...known].map(environmentName);
  for (const name of Object.keys(env)) {
    if (name.startsWith(VARIABLE_PREFIX) && !names.includes(name)) {
      throw usageError(`the variable ${name} is unknown${suggestName(name, names)}`);
    }
  }
}

/** Reads a command's flags from all four sources. Throws `invalid` in the words of the source. */
export function parseFlags<F extends FlagTable>(
  table: F,
  argv: readonly string[],
  env: Environment,
): CommandLine<F> {
  const { given, operands, help } = splitArguments(table, argv);
  const configPath = given.get('config')?.at(-1) ?? env[environmentName('config')];
  const config = configPath === undefined || help ? new Map() : readConfig(configPath, table);
  const values: Record<string, unknown> = {};
  for (const [name, spec] of Object.entries(table)) {
    const variable = environmentName(name);
    const inEnv = env[variable];
    const flagTexts = given.get(name);
    if (help) values[name] = spec.read([]);
    else if (flagTexts) values[name] = readFrom(`--${name}`, spec, flagTexts);
    else if (inEnv !== undefined) values[name] = readFrom(variable, spec, splitMany(spec, inEnv));
    else values[name] = readFrom(`${configPath}: ${name}`, spec, config.get(name) ?? []);
  }
  return { values: values as FlagValues<F>, operands, help };
}

function readFrom(source: string, spec: Flag<unknown>, texts: readonly string[]): unknown {
  try {
    return spec.read(texts);
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`${source} ${texts.join(', ')}: ${message}`, cause);
  }
}

function splitMany(spec: Flag<unknown>, text: string): string[] {
  return spec.many ? text.split(',').filter((part) => part !== '') : [text];
}

function splitArguments(table: FlagTable, argv: readonly string[]) {
  const given = new Map<string, string[]>();
  const operands: string[] = [];
  let help = false;
  for (let i = 0; i < argv.length; i++) {
    const argument = argv[i] ?? '';
    if (argument === '--') {
      operands.push(...argv.slice(i + 1));
      break;
    }
    if (argument === '--help' || argument === '-h') {
      help = true;
      continue;
    }
    if (!argument.startsWith('-') || argument === '-') {
      operands.push(argument);
      continue;
    }
    const equals = argument.indexOf('=');
    const name = argument.slice(2, equals === -1 ? undefined : equals);
    const spec = argument.startsWith('--') ? flagNamed(table, name) : undefined;
    if (spec === undefined) {
      const near = suggestName(name, [...Object.keys(table), 'config', 'help']);
      throw usageError(`the flag ${argument.slice(0, 80)} is unknown${near}`);
    }
    let text = equals === -1 ? undefined : argument.slice(equals + 1);
    if (text === undefined && spec.placeholder === null) text = 'true';
    if (text === undefined) {
      text = argv[++i];
      if (text === undefined) throw usageError(`--${name} needs a value: ${spec.placeholder}`);
    }
    given.set(name, [...(given.get(name) ?? []), text]);
  }
  return { given, operands, help };
}

const CONFIG_FLAG = flag.text(null, 'FILE', 'a YAML file of these flags, without the dashes');

function flagNamed(table: FlagTable, name: string): Flag<unknown> | undefined {
  if (name === 'config') return CONFIG_FLAG;
  return Object.hasOwn(table, name) ? table[name] : undefined;
}

function readConfig(path: string, table: FlagTable): Map<string, string[]> {
  let content: unknown;
  try {
    const text = readFileSync(path, 'utf8');
    if (text.length > MAX_CONFIG_BYTES) throw new Error(`is over ${MAX_CONFIG_BYTES} bytes`);
    // Loaded here: it takes longer than many a command, and few have such a file.
    const { parse } = require('yaml') as typeof import('yaml');
    content = parse(text, { schema: 'failsafe', maxAliasCount: 0 }) ?? {};
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw usageError(`--config ${path}: ${message.split('\n')[0]}`, cause);
  }
  if (typeof content !== 'object' || content === null || Array.isArray(content)) {
    throw usageError(`--config ${path}: the file is not a mapping of flags to values`);
  }
  const found = new Map<string, string[]>();
  for (const [key, value] of Object.entries(content)) {
    if (flagNamed(table, key) === undefined || key === 'config') {
      const near = suggestName(key, Object.keys(table));
      throw usageError(`--config ${path}: the key ${key.slice(0, 80)} is unknown${near}`);
    }
    found.set(key, configTexts(value));
  }
  return found;
}

/** A scalar, a list of scalars, or (for pairs) a mapping. */
function configTexts(value: unknown): string[] {
  if (Array.isArray(value)) return value.map(String);
  if (typeof value === 'object' && value !== null) {
    return Object.entries(value).map(([name, text]) => `${name}=${String(text)}`);
  }
  return [String(value)];
}

/** The flags of a command as aligned lines for its help text. */
export function describeFlags(table: FlagTable): string {
  const rows = Object.entries({ ...table, config: CONFIG_FLAG }).map(([name, spec]) => [
    `  --${name}${spec.placeholder === null ? '' : ` ${spec.placeholder}`}`,
    spec.help,
  ]);
  const width = Math.max(...rows.map(([left]) => left?.length ?? 0)) + 2;
  return rows.map(([left, right]) => `${left?.padEnd(width)}${right}`).join('\n');
}

function usageError(message: string, cause?: unknown): EverflameError {
  return new EverflameError('invalid', message, { cause });
}
