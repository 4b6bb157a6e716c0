import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import {
  COUNTERS_BYTES,
  MAX_FRAMES,
  PROCESS_BYTES,
  type ProcessRecord,
  Reason,
  readRecord,
  SAMPLE_BYTES,
  type Sample,
  SIDES,
  STACK_FAILED,
  STACK_NONE,
  STACK_WHOLE,
  sumCounters,
} from './sample-record.ts';

/** Fills the structures of sampler.h by their names and prints constants and bytes. */
const WRITER = `
#include <stdio.h>
#include <string.h>
#include "sampler.h"
static void dump(const void *data, unsigned long size)
{
	for (unsigned long i = 0; i < size; i++)
		printf("%02x", ((const unsigned char *)data)[i]);
	printf("\\n");
}
int main(void)
{
	struct ef_sample sample = { .kind = EF_RECORD_SAMPLE, .cpu = 7, .time_ns = 0x1122334455667788,
		.start_ns = 0xf000000000000001, .image = 0x7ffdeadbeef0, .tgid = 42, .tid = 43,
		.kernel_stack = EF_STACK_WHOLE, .user_stack = 1234, .side = 1,
		.reasons = EF_USER_STACK_FAILED | EF_KERNEL_STACK_COLLIDED,
		.kernel_depth = 2, .user_depth = 1 };
	struct ef_process process = { .kind = EF_RECORD_PROCESS, .kernel_thread = 1, .start_ns = 5,
		.image = 6, .tgid = 77, .namespace_tgid = 8, .cgroup_id = 0x9000000000,
		.comm = "kworker/0:1" };
	struct ef_counters counters[2] = { { 10, 2, 1 }, { 20, 3, 0 } };
	unsigned long long frames[3] = { 0xffffffff81000000, 0xffffffff82000000, 0x401000 };
	struct { struct ef_sample s; unsigned long long f[3]; } whole = { sample };
	memcpy(whole.f, frames, sizeof(frames));
	printf("%zu %zu %zu %d %d %d %d %d %d %d %d %d\\n", sizeof(sample), sizeof(process),
		sizeof(counters[0]), EF_MAX_FRAMES, EF_SIDES, EF_STACK_NONE, EF_STACK_WHOLE,
		EF_STACK_FAILED, EF_KERNEL_STACK_FAILED, EF_USER_STACK_FAILED,
		EF_KERNEL_STACK_COLLIDED, EF_USER_STACK_COLLIDED);
	dump(&whole, sizeof(whole));
	dump(&process, sizeof(process));
	dump(counters, sizeof(counters));
}
`;

function writeWithC(): { constants: number[]; sample: Buffer; process: Buffer; counters: Buffer } {
  const folder = mkdtempSync(join(tmpdir(), 'everflame-layout-'));
  try {
    writeFileSync(join(folder, 'writer.c'), WRITER);
    const include = `-I${join(import.meta.dirname, 'bpf')}`;
    execFileSync('gcc', [include, '-o', join(folder, 'writer'), join(folder, 'writer.c')]);
    const lines = execFileSync(join(folder, 'writer')).toString().trim().split('\n');
    const [sample, process, counters] = lines.slice(1).map((line) => Buffer.from(line, 'hex'));
    const constants = (lines[0] ?? '').split(' ').map(Number);
    return { constants, sample: sample!, process: process!, counters: counters! };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

function decode(bytes: Buffer): Sample | ProcessRecord {
  const words = new Int32Array(Math.ceil(bytes.length / 4) + 4);
  new Uint8Array(words.buffer).set(bytes, 16);
  let seen: Sample | ProcessRecord | null = null;
  const keep = (record: Sample | ProcessRecord) => {
    seen = record;
  };
  readRecord(words, 4, bytes.length, { onSample: keep, onProcess: keep });
  return seen!;
}

const written = writeWithC();

test('sizes and constants are those of sampler.h', () => {
  expect(written.constants).toEqual([
    ...[SAMPLE_BYTES, PROCESS_BYTES, COUNTERS_BYTES, MAX_FRAMES, SIDES],
    ...[STACK_NONE, STACK_WHOLE, STACK_FAILED],
    ...[Reason.kernelStackFailed, Reason.userStackFailed],
    ...[Reason.kernelStackCollided, Reason.userStackCollided],
  ]);
});

test('a sample that C wrote', () => {
  expect(decode(written.sample)).toEqual({
    cpu: 7,
    timeNs: 0x1122334455667788n,
    startNs: 0xf000000000000001n,
    image: 0x7ffdeadbeef0n,
    tgid: 42,
    tid: 43,
    kernelStack: STACK_WHOLE,
    userStack: 1234,
    side: 1,
    reasons: Reason.userStackFailed | Reason.kernelStackCollided,
    kernelFrames: BigUint64Array.of(0xffffffff81000000n, 0xffffffff82000000n),
    userFrames: BigUint64Array.of(0x401000n),
  });
});

test('a process that C wrote', () => {
  expect(decode(written.process)).toEqual({
    kernelThread: true,
    startNs: 5n,
    image: 6n,
    tgid: 77,
    namespaceTgid: 8,
    cgroupId: 0x9000000000n,
    comm: 'kworker/0:1',
  });
});

test('counters add up over CPUs', () => {
  const { buffer, byteOffset, length } = written.counters;
  expect(sumCounters(new DataView(buffer, byteOffset, length))).toEqual({
    sampled: 30,
    ringFull: 5,
    processRingFull: 1,
  });
});

describe('what sampler.h does not know is refused', () => {
  const patched = (offset: number, value: number) => {
    const bytes = Buffer.from(written.sample);
    bytes.writeUInt32LE(value, offset);
    return bytes;
  };
  test.each([
    ['no bytes', Buffer.alloc(0)],
    ['an unknown kind', patched(0, 3)],
    ['a short sample', written.sample.subarray(0, 60)],
    ['a short process', written.process.subarray(0, 48)],
    ['frames missing', written.sample.subarray(0, 72)],
    ['more frames than fit', patched(56, 128)],
    ['a negative depth', patched(60, 0xffff_ffff)],
  ])('%s', (_name, bytes) => expect(() => decode(bytes)).toThrow(/a record of kind|a sample of/));
});
