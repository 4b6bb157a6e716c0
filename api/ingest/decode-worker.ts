/** Entry of a decode worker: request bodies in, batches ready to store out. */
import { parentPort } from 'node:worker_threads';
import { assert, EverflameError, toErrorRecord } from '../../profile/errors.ts';
import { SharedHashTable } from '../../profile/hash-table.ts';
import type { WriteBatch } from '../../store/store.ts';
import type { DecodeJob, DecodeResult, ToDecodeWorker } from './decode-messages.ts';
import { PprofKernel } from './kernel/pprof-kernel.ts';
import { RequestDecoder } from './request-decoder.ts';

const port = parentPort;
assert(port !== null, 'the decode worker runs in a worker thread');
let decoder: RequestDecoder | null = null;
let known: SharedHashTable | null = null;

port.on('message', (message: ToDecodeWorker) => {
  if (message.kind === 'start') {
    decoder = new RequestDecoder(message.key, new PprofKernel(message.key));
  } else if (message.kind === 'known') known = new SharedHashTable(message.words);
  else answer(message.jobs);
});

function answer(jobs: readonly DecodeJob[]): void {
  const results = jobs.map(decodeJob);
  const buffers = new Set<ArrayBuffer>();
  for (const result of results) {
    if ('decoded' in result) collectBuffers(result.decoded.batch, buffers);
  }
  port?.postMessage(results, [...buffers]);
}

/** Errors of the input are answers; any other ends the worker, and the pool starts a new one. */
function decodeJob({ id, request, nowMs }: DecodeJob): DecodeResult {
  assert(decoder !== null, 'the worker was started with a key');
  try {
    return { id, decoded: decoder.decode(request, known, nowMs) };
  } catch (error) {
    if (!(error instanceof EverflameError)) throw error;
    return { id, error: toErrorRecord(error) };
  }
}

/** The memory of a batch's columns, which moves to the main thread instead of being copied. */
function collectBuffers(batch: WriteBatch, buffers: Set<ArrayBuffer>): void {
  const { samples, strings, functions, locations, stacks, labelsetIds } = batch;
  for (const table of [samples, strings, functions, locations, stacks, { labelsetIds }]) {
    for (const column of Object.values(table)) {
      if (ArrayBuffer.isView(column)) buffers.add(column.buffer as ArrayBuffer);
    }
  }
}
