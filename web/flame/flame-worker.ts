/** Decodes and searches off the page's thread. One message in, one message out. */

import { EverflameError, fromErrorRecord, toErrorRecord } from '../../profile/errors.ts';
import { decodeFg1 } from '../../profile/flame/fg1.ts';
import { FrameKind } from '../../profile/flame/frame.ts';
import { stringReader } from '../../profile/strings.ts';
import { buildFlameView, transferables } from './flame-view.ts';
import { searchFrames } from './frame-search.ts';
import type { WorkerReply, WorkerRequest } from './worker-client.ts';

/** Names of the graphs decoded last; older ones are no longer on any page. */
const MAX_VIEWS = 8;
const searched = new Map<number, SearchedNames>();

/** What a search looks at: its own copy, since the graph itself moves to the page. */
interface SearchedNames {
  text: (row: number) => string;
  /** Rows of the text, per frame. */
  name: Uint32Array;
  systemName: Uint32Array;
  kind: Uint8Array;
}

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
    searched.set(request.id, {
      text: stringReader({
        count: strings.count,
        offsets: strings.offsets.slice(),
        bytes: strings.bytes.slice(),
      }),
      name: frames.name.slice(),
      systemName: frames.systemName.slice(),
      kind: frames.kind.slice(),
    });
    const [oldest] = searched.keys();
    if (searched.size > MAX_VIEWS && oldest !== undefined) searched.delete(oldest);
    post({ id: request.id, kind: 'view', view }, transferables(view));
    return;
  }
  const known = searched.get(request.viewId);
  if (known === undefined) {
    throw fromErrorRecord({ kind: 'not-found', message: 'this graph is no longer in memory' });
  }
  const { text, name, systemName, kind } = known;
  const rowOf = (frame: number) => (request.raw && systemName[frame]) || (name[frame] ?? 0);
  const result = searchFrames(
    request.text,
    name.length,
    (frame) => text(rowOf(frame)),
    (frame) => kind[frame] === FrameKind.label,
  );
  post({ id: request.id, kind: 'search', result }, [result.matches.buffer as ArrayBuffer]);
}
