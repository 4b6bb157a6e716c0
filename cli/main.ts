/** The command line's entry: finds the command, prints help, turns errors into one line. */
import { realpathSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import { suggestName } from '../profile/select/nearest.ts';
import type { Command, Output } from './command.ts';
import type { Environment } from './flags.ts';
import { checkEnvironment, describeFlags, hasOwnVariable } from './flags.ts';
import { readVersion } from './version.ts';

/** Wrong usage and failures alike; 1 is a check's verdict (`everflame diff --fail-over`). */
const EXIT_FAILURE = 2;

/** Each is loaded when it is run, so that a short command starts as fast as Node does. */
const COMMANDS: ReadonlyMap<string, () => Promise<Command>> = new Map([
  ['server', async () => (await import('./server-command.ts')).serverCommand],
  ['agent', async () => (await import('./agent.ts')).agentCommand],
  ['push', async () => (await import('./push.ts')).pushCommand],
  ['query', async () => (await import('./query.ts')).queryCommand],
  ['diff', async () => (await import('./diff.ts')).diffCommand],
  ['store backup', async () => (await import('./store-backup.ts')).storeBackupCommand],
  ['store export', async () => (await import('./store-export.ts')).storeExportCommand],
  ['store delete', async () => (await import('./store-delete.ts')).storeDeleteCommand],
  ['store check', async () => (await import('./store-check.ts')).storeCheckCommand],
  ['debuginfo upload', async () => (await import('./debuginfo.ts')).debuginfoUploadCommand],
  ['debuginfo lookup', async () => (await import('./debuginfo-lookup.ts')).debuginfoLookupCommand],
  [
    'debuginfo convert',
    async () => (await import('./debuginfo-convert.ts')).debuginfoConvertCommand,
  ],
]);

/** Runs the command line; resolves with the exit code. */
export async function runMain(
  argv: readonly string[],
  env: Environment,
  output: Output,
): Promise<number> {
  try {
    const [first = 'help', second] = argv;
    if (first === 'version' || first === '--version') {
      output.out(`everflame ${readVersion()}\n`);
      return 0;
    }
    if (first === 'help' || first === '--help' || first === '-h') {
      output.out(describeProgram(await loadCommands()));
      return 0;
    }
    const group = asksForHelp(argv.slice(1, 2)) ? await loadGroup(first) : [];
    if (group.length > 0) {
      output.out(describeGroup(first, group));
      return 0;
    }
    const command = await findCommand(first, second);
    const rest = argv.slice(command.name.split(' ').length);
    if (asksForHelp(rest)) {
      output.out(describeCommand(command));
      return 0;
    }
    if (hasOwnVariable(env)) {
      checkEnvironment(
        env,
        (await loadCommands()).map(({ flags }) => flags),
      );
    }
    return await command.run(rest, env, output);
  } catch (error) {
    output.err(describeFailure(error));
    return EXIT_FAILURE;
  }
}

function asksForHelp(argv: readonly string[]): boolean {
  const end = argv.indexOf('--');
  const own = end === -1 ? argv : argv.slice(0, end);
  return own.includes('--help') || own.includes('-h');
}

function loadCommands(): Promise<Command[]> {
  return Promise.all(Array.from(COMMANDS.values(), (load) => load()));
}

/** The commands that begin with this word, where it is none itself. */
async function loadGroup(first: string): Promise<Command[]> {
  const own = [...COMMANDS].filter(([name]) => name.startsWith(`${first} `));
  return Promise.all(own.map(([, load]) => load()));
}

async function findCommand(first: string, second: string | undefined): Promise<Command> {
  const load = COMMANDS.get(first) ?? COMMANDS.get(`${first} ${second}`);
  if (load !== undefined) return load();
  const names = [...COMMANDS.keys()];
  const typed = names.some((name) => name.startsWith(`${first} `))
    ? `${first} ${second ?? ''}`.trimEnd()
    : first;
  throw new EverflameError(
    'invalid',
    `there is no command ${typed.slice(0, 80)}${suggestName(typed, names)}`,
    { remedy: '`everflame help` lists them.' },
  );
}

function describeProgram(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    'everflame: a continuous profiler',
    '',
    'usage: everflame COMMAND [flags]',
    '',
    ...commandLines(commands, width),
    `  ${'version'.padEnd(width)}print the version`,
    '',
    '`everflame COMMAND --help` lists its flags. Each flag can also be given as a variable',
    '(--data-dir: EVERFLAME_DATA_DIR) or, without the dashes, in the YAML file of --config.',
    '',
  ].join('\n');
}

function commandLines(commands: readonly Command[], width: number): string[] {
  return commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
}

function describeGroup(first: string, commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  const lines = commandLines(commands, width);
  const hint = `\`everflame ${first} COMMAND --help\` lists its flags.`;
  const usage = `usage: everflame ${first} COMMAND [flags]`;
  return [usage, '', ...lines, '', hint, ''].join('\n');
}

function describeCommand(command: Command): string {
  const { name, operands, summary, flags, notes } = command;
  const usage = ['usage: everflame', name, '[flags]', operands].filter((part) => part !== '');
  const tail = notes === undefined ? [] : ['', notes];
  return [usage.join(' '), '', `${summary}.`, '', describeFlags(flags), ...tail, ''].join('\n');
}

/** An operating error is one line; a fault of ours shows where it happened. */
function describeFailure(error: unknown): string {
  if (error instanceof EverflameError) {
    const { message, limit, remedy } = error;
    const limited = limit === undefined ? message : `${message} (${limit})`;
    return `everflame: ${remedy === undefined ? limited : `${limited}. ${remedy}`}`;
  }
  if (!(error instanceof Error)) return `everflame: ${String(error)}`;
  // The system's own words: ENOENT and its like.
  if ('syscall' in error) return `everflame: ${error.message}`;
  return `everflame: ${error.stack ?? error.message}`;
}

if (process.argv[1] !== undefined && import.meta.filename === realpathSync(process.argv[1])) {
  process.exitCode = await runMain(process.argv.slice(2), process.env, {
    out: (text) => process.stdout.write(text),
    err: (line) => process.stderr.write(`${line}\n`),
  });
}
