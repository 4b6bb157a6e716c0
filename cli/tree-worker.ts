/** The thread that builds trees: wires the query jobs to the symbol files. */
import { parentPort } from 'node:worker_threads';
import { TreeJobs } from '../api/query/tree-jobs.ts';
import type { TreeRequest } from '../api/query/tree-messages.ts';
import { assert } from '../profile/errors.ts';
import { createDemangler } from '../symbolizer/demangle/demangle.ts';
import { openSymbolFile } from '../symbolizer/symbol-file/symbol-file.ts';

assert(parentPort !== null, 'tree-worker runs as a worker thread');
const port = parentPort;
const jobs = new TreeJobs(openSymbolFile, createDemangler());
port.on('message', (request: TreeRequest) => {
  const reply = jobs.reply(request);
  const body = 'answer' in reply ? reply.answer.body : null;
  const buffer = body instanceof Uint8Array ? body.buffer : null;
  port.postMessage(reply, buffer instanceof ArrayBuffer ? [buffer] : []);
});
