/** Decodes and searches off the page's thread. One message in, one message out. */

import { EverflameError, fromErrorRecord, toErrorRecord } from '../../profile/errors.ts';
import { decodeFg1 } from '../../profile/fg1.ts';
import { FrameKind } from '../../profile/frame.ts';
import { stringReader } from '../../profile/strings.ts';
import { buildFlameView, transferables } from './flame-view.ts';
import { searchFrames } from './frame-search.ts';
import type { WorkerReply, WorkerRequest } from './worker-client.ts';

/** Names of the graphs decoded last; older ones are no longer on any page. */
const MAX_VIEWS = 8;
const names = new Map<number, { names: string[]; kinds: Uint8Array }>();

self.onmessage = (event: MessageEvent<WorkerRequest>) => {
  const request = event.data;
  try {
    answer(request);
  } catch (error) {
    const known =
      error instanceof EverflameError
        ? error
        : new EverflameError('invalid', error instanceof Error ? error.message : String(error));
    post({ id: request.id, kind: 'error', error: toErrorRecord(known) }, []);
  }
};

function post(reply: WorkerReply, transfer: Transferable[]): void {
  self.postMessage(reply, { transfer });
}

function answer(request: WorkerRequest): void {
  if (request.kind === 'decode') {
    const graph = decodeFg1(new Uint8Array(request.body));
    const view = buildFlameView(graph);
    const { frames, strings } = graph;
    const text = stringReader(strings);
    names.set(request.id, {
      names: Array.from(frames.name, text),
      kinds: frames.kind.slice(),
    });
    const [oldest] = names.keys();
    if (names.size > MAX_VIEWS && oldest !== undefined) names.delete(oldest);
    post({ id: request.id, kind: 'view', view }, transferables(view));
    return;
  }
  const known = names.get(request.viewId);
  if (known === undefined) {
    throw fromErrorRecord({ kind: 'not-found', message: 'this graph is no longer in memory' });
  }
  const result = searchFrames(
    request.text,
    known.names.length,
    (frame) => known.names[frame] ?? '',
    (frame) => known.kinds[frame] === FrameKind.label,
  );
  post({ id: request.id, kind: 'search', result }, [result.matches.buffer as ArrayBuffer]);
}
