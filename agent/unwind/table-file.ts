/** Unwind tables as bytes: what the compiler's process answers, and what is kept on disk. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_UNWIND_PAGES, MAX_UNWIND_ROWS } from '../../profile/limits.ts';
import { ROW_WORDS, type UnwindFacts, type UnwindTable } from './unwind-table.ts';

const MAGIC = 'EFUNWD1\n';
const HEADER_BYTES = 32;
const MAX_FACTS_BYTES = 4_096;
/** Begins a table in which the facts' text is too long; the message is cut. */
const MAX_PROBLEM_CHARACTERS = 1_000;

/** Layout: docs/formats.md, 7.1. */
export function encodeUnwindTable(table: UnwindTable): Buffer {
  const firstProblem = table.facts.firstProblem.slice(0, MAX_PROBLEM_CHARACTERS);
  const facts = Buffer.from(JSON.stringify({ ...table.facts, firstProblem }));
  const header = Buffer.alloc(HEADER_BYTES);
  header.write(MAGIC, 'latin1');
  header.writeUInt32LE(table.machine, 8);
  header.writeUInt32LE(table.pageStarts.length - 1, 12);
  header.writeUInt32LE(table.rows.length / ROW_WORDS, 16);
  header.writeUInt32LE(facts.length, 20);
  header.writeDoubleLE(table.firstPage, 24);
  return Buffer.concat([header, bytesOf(table.pageStarts), bytesOf(table.rows), facts]);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}

/**
 * Throws EverflameError where the bytes are no table that can be searched: who wrote them had read
 * a stranger's file.
 */
export function decodeUnwindTable(bytes: Uint8Array): UnwindTable {
  const data = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  check(data.length >= HEADER_BYTES, 'is too short');
  check(data.toString('latin1', 0, MAGIC.length) === MAGIC, 'does not begin as one');
  const machine = data.readUInt32LE(8);
  const pages = data.readUInt32LE(12);
  const rowCount = data.readUInt32LE(16);
  const factsBytes = data.readUInt32LE(20);
  const firstPage = data.readDoubleLE(24);
  check(pages <= MAX_UNWIND_PAGES && rowCount <= 2 * MAX_UNWIND_ROWS, 'is too large');
  check(factsBytes <= MAX_FACTS_BYTES, 'has too many facts');
  const starts = HEADER_BYTES;
  const rowsAt = starts + 4 * (pages + 1);
  const factsAt = rowsAt + 4 * ROW_WORDS * rowCount;
  check(data.length === factsAt + factsBytes, 'has another length than it says');
  check(Number.isSafeInteger(firstPage) && firstPage >= 0, 'begins nowhere');
  const pageStarts = wordsOf(data.subarray(starts, rowsAt));
  let last = 0;
  for (const start of pageStarts) {
    check(start >= last && start <= rowCount, 'has pages outside of its rows');
    last = start;
  }
  check(last === rowCount && pageStarts[0] === 0, 'has rows outside of its pages');
  const facts = JSON.parse(data.toString('utf8', factsAt)) as UnwindFacts;
  return { machine, firstPage, pageStarts, rows: wordsOf(data.subarray(rowsAt, factsAt)), facts };
}

/** A copy, since words must be aligned. */
function wordsOf(bytes: Uint8Array): Uint32Array {
  return new Uint32Array(Uint8Array.from(bytes).buffer);
}

function check(holds: boolean, problem: string): void {
  if (holds) return;
  throw new EverflameError('invalid', `an unwind table ${problem}`, {
    field: 'file',
    remedy: 'It is compiled again.',
  });
}
