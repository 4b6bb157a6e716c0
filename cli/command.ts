/** What a command is to cli/main.ts. */
import type { Environment, FlagTable } from './flags.ts';

/** Where a command writes; tests pass their own. */
export interface Output {
  out(text: string | Uint8Array): void;
  err(line: string): void;
}

export interface Command {
  /** As typed: `push`, `debuginfo upload`. */
  name: string;
  /** Operands after the name, for the help text. */
  operands: string;
  summary: string;
  flags: FlagTable;
  /** Further lines of the help text. */
  notes?: string;
  /** Resolves with the exit code. */
  run(argv: readonly string[], env: Environment, output: Output): Promise<number>;
}
