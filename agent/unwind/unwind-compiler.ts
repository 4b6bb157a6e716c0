/**
 * Compiles unwind tables in a process that has no capabilities, a limit of memory and a deadline:
 * the files are strangers'. It gets them opened, since many of them it could not open itself.
 */
import type { ChildProcess } from 'node:child_process';
import { type ErrorRecord, EverflameError, fromErrorRecord } from '../../profile/errors.ts';
import { MAX_UNWIND_PAGES, MAX_UNWIND_ROWS } from '../../profile/limits.ts';
import {
  findSandbox,
  restrictedCommand,
  SANDBOXES,
  type Sandbox,
  startRestricted,
} from '../../symbolizer/debuginfo/restricted-process.ts';
import { decodeUnwindTable } from './table-file.ts';
import type { UnwindTable } from './unwind-table.ts';

/** Files of one process: starting it costs as much as compiling libc. */
const MAX_FILES_PER_PROCESS = 32;
/** The largest known program takes 3 s and 400 MB. */
const DEADLINE_MS = 60_000;
const DATA_BYTES = 2 ** 30;
const HEAP_MB = 128;
const HEAD_BYTES = 8;
const MAX_ANSWER_BYTES = 8 * (MAX_UNWIND_PAGES + 2 * MAX_UNWIND_ROWS);
const MAX_WORDS_CHARACTERS = 400;

/** Of each file its table, or why it has none. */
export type CompiledTable = UnwindTable | EverflameError;

/**
 * Compiles open files (descriptors). Where a process dies, the file it was at has no table, and the
 * others are compiled by another.
 */
export async function compileTables(
  files: readonly number[],
  signal: AbortSignal,
): Promise<CompiledTable[]> {
  const tables: CompiledTable[] = [];
  while (tables.length < files.length) {
    const batch = files.slice(tables.length, tables.length + MAX_FILES_PER_PROCESS);
    const { answers, fault } = await runChild(batch, signal);
    signal.throwIfAborted();
    tables.push(...answers);
    if (fault !== null) tables.push(fault);
  }
  return tables;
}

/** Tried once per process. */
let sandboxFound: Promise<Sandbox> | null = null;

async function runChild(files: readonly number[], signal: AbortSignal): Promise<Answered> {
  sandboxFound ??= findSandbox(SANDBOXES, ['true'], 'unwind tables');
  const limits = { dataBytes: DATA_BYTES, heapMb: HEAP_MB, fileBytes: 0 };
  const sandbox = await sandboxFound;
  const command = restrictedCommand(sandbox, import.meta.url, './compiler-child', limits);
  const child = startRestricted([...command, String(files.length)], files);
  child.stdin?.end();
  return collect(child, files.length, signal);
}

interface Answered {
  answers: CompiledTable[];
  /** Why there are not as many as files. */
  fault: EverflameError | null;
}

function collect(child: ChildProcess, count: number, signal: AbortSignal): Promise<Answered> {
  return new Promise((resolve, reject) => {
    const reader = new AnswerReader();
    let words = '';
    let fault: EverflameError | null = null;
    const end = (error: EverflameError): void => {
      fault ??= error;
      child.kill('SIGKILL');
    };
    const onAbort = () => end(died('of being stopped'));
    const timer = setTimeout(() => {
      end(died(`after DEADLINE_MS = ${DEADLINE_MS}`));
    }, DEADLINE_MS);
    signal.addEventListener('abort', onAbort, { once: true });
    child.stdout?.on('data', (bytes: Buffer) => {
      try {
        reader.add(bytes);
      } catch (error) {
        if (error instanceof EverflameError) end(error);
        else reject(error);
      }
    });
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      words = (words + text).slice(-MAX_WORDS_CHARACTERS);
    });
    const settle = (how: string): void => {
      clearTimeout(timer);
      signal.removeEventListener('abort', onAbort);
      const answers = reader.answers.slice(0, count);
      const isWhole = answers.length === count;
      const why = fault ?? died(`${how}: ${words.trim() || 'no words'}`);
      resolve({ answers, fault: isWhole ? null : why });
    };
    child.on('error', (error) => settle(error.message));
    child.on('close', (code, exitSignal) => settle(`of ${exitSignal ?? `exit status ${code}`}`));
    if (signal.aborted) onAbort();
  });
}

function died(how: string): EverflameError {
  return new EverflameError('unavailable', `the compiler of unwind tables died ${how}`, {
    remedy: 'The stacks of this file are followed by frame pointers.',
  });
}

/** Answers as compiler-child.ts writes them, out of pieces of any size. */
class AnswerReader {
  readonly answers: CompiledTable[] = [];
  #pieces: Buffer[] = [];
  #bytes = 0;
  /** Of the answer that is being read, head included; null where the head is not there yet. */
  #wanted: number | null = null;

  add(piece: Buffer): void {
    this.#pieces.push(piece);
    this.#bytes += piece.length;
    while (this.#bytes >= (this.#wanted ?? HEAD_BYTES)) {
      const bytes = Buffer.concat(this.#pieces, this.#bytes);
      this.#pieces = [bytes];
      if (this.#wanted === null) {
        const length = bytes.readUInt32LE(0);
        if (length > MAX_ANSWER_BYTES) throw died(`of an answer of ${length} bytes`);
        this.#wanted = HEAD_BYTES + length;
        continue;
      }
      this.answers.push(
        readAnswer(bytes.readUInt32LE(4), bytes.subarray(HEAD_BYTES, this.#wanted)),
      );
      this.#pieces = [bytes.subarray(this.#wanted)];
      this.#bytes -= this.#wanted;
      this.#wanted = null;
    }
  }
}

function readAnswer(kind: number, bytes: Buffer): CompiledTable {
  if (kind === 1) return decodeUnwindTable(bytes);
  return fromErrorRecord(JSON.parse(bytes.toString()) as ErrorRecord);
}
