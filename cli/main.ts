/** The command line's entry: finds the command, prints help, turns errors into one line. */
import { realpathSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import { suggestName } from '../profile/nearest.ts';
import { agentCommand } from './agent.ts';
import type { Command, Output } from './command.ts';
import { debuginfoUploadCommand } from './debuginfo.ts';
import { diffCommand } from './diff.ts';
import type { Environment } from './flags.ts';
import { checkEnvironment, describeFlags } from './flags.ts';
import { pushCommand } from './push.ts';
import { queryCommand } from './query.ts';
import { serverCommand } from './server-command.ts';
import { readVersion } from './version.ts';

/** Wrong usage and failures alike; 1 is a check's verdict (`everflame diff --fail-over`). */
const EXIT_FAILURE = 2;

const COMMANDS: readonly Command[] = [
  serverCommand,
  agentCommand,
  pushCommand,
  queryCommand,
  diffCommand,
  debuginfoUploadCommand,
];

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
      output.out(describeProgram());
      return 0;
    }
    const command = findCommand(first, second);
    const rest = argv.slice(command.name.split(' ').length);
    if (asksForHelp(rest)) {
      output.out(describeCommand(command));
      return 0;
    }
    checkEnvironment(
      env,
      COMMANDS.map(({ flags }) => flags),
    );
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

function findCommand(first: string, second: string | undefined): Command {
  const command = COMMANDS.find(({ name }) => name === first || name === `${first} ${second}`);
  if (command !== undefined) return command;
  const names = COMMANDS.map(({ name }) => name);
  const typed = names.some((name) => name.startsWith(`${first} `))
    ? `${first} ${second ?? ''}`
    : first;
  throw new EverflameError(
    'invalid',
    `there is no command ${typed.slice(0, 80)}${suggestName(typed, names)}`,
    { remedy: '`everflame help` lists them.' },
  );
}

function describeProgram(): string {
  const width = Math.max(...COMMANDS.map(({ name }) => name.length)) + 2;
  const lines = COMMANDS.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`);
  return [
    'everflame: a continuous profiler',
    '',
    'usage: everflame COMMAND [flags]',
    '',
    ...lines,
    `  ${'version'.padEnd(width)}print the version`,
    '',
    '`everflame COMMAND --help` lists its flags. Each flag can also be given as a variable',
    '(--data-dir: EVERFLAME_DATA_DIR) or, without the dashes, in the YAML file of --config.',
    '',
  ].join('\n');
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
