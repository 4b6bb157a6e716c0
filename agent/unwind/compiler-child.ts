/**
 * The process in which strangers' frames are compiled. Its files are the descriptors from 3 on, as
 * many as its argument says; it answers each on standard output, in order, and ends.
 */
import { writeSync } from 'node:fs';
import { EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { descriptorSource } from '../../symbolizer/elf/byte-reader.ts';
import { openElfFile } from '../../symbolizer/elf/elf-file.ts';
import { encodeUnwindTable } from './table-file.ts';
import { compileUnwindTable } from './unwind-table.ts';

const FIRST_FD = 3;
const STDOUT = 1;

/** An answer: u32 length, u32 1 for a table and 0 for an error in JSON, and that. */
function answer(isTable: boolean, bytes: Buffer): void {
  const head = Buffer.alloc(8);
  head.writeUInt32LE(bytes.length);
  head.writeUInt32LE(isTable ? 1 : 0, 4);
  write(head);
  write(bytes);
}

function write(bytes: Buffer): void {
  for (let at = 0; at < bytes.length; ) at += writeSync(STDOUT, bytes, at);
}

async function compile(fd: number): Promise<void> {
  try {
    const elf = openElfFile(descriptorSource(fd));
    answer(true, encodeUnwindTable(await compileUnwindTable(elf)));
  } catch (error) {
    // A bug of ours ends the process, and with it this file and those behind it.
    if (!(error instanceof EverflameError)) throw error;
    answer(false, Buffer.from(JSON.stringify(toErrorRecord(error))));
  }
}

const count = Number(process.argv[2]);
for (let file = 0; file < count; file++) await compile(FIRST_FD + file);
