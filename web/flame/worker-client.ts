/** The page's end of flame-worker.ts: promises over messages. */
import { type ErrorRecord, fromErrorRecord } from '../../profile/errors.ts';
import type { FlameView } from './flame-view.ts';
import type { SearchResult } from './frame-search.ts';

export type WorkerRequest =
  | { id: number; kind: 'decode'; body: ArrayBuffer }
  | { id: number; kind: 'search'; viewId: number; text: string; raw: boolean };

export type WorkerReply =
  | { id: number; kind: 'view'; view: FlameView }
  | { id: number; kind: 'search'; result: SearchResult }
  | { id: number; kind: 'error'; error: ErrorRecord };

/** A decoded graph and the number under which the worker knows its names. */
export interface LoadedView {
  id: number;
  view: FlameView;
  answeredMs: number;
}

interface Waiting {
  resolve: (reply: WorkerReply) => void;
  reject: (error: unknown) => void;
}

const waiting = new Map<number, Waiting>();
let worker: Worker | null = null;
let lastId = 0;

function startWorker(): Worker {
  const started = new Worker(new URL('./flame-worker.ts', import.meta.url), { type: 'module' });
  started.onmessage = (event: MessageEvent<WorkerReply>) => {
    const reply = event.data;
    const { resolve, reject } = waiting.get(reply.id) ?? {};
    waiting.delete(reply.id);
    if (reply.kind === 'error') reject?.(fromErrorRecord(reply.error));
    else resolve?.(reply);
  };
  // A worker that died answers nothing more: everyone who waits is told, the next call starts anew.
  started.onerror = (event) => {
    for (const { reject } of waiting.values()) reject(new Error(event.message || 'worker failed'));
    waiting.clear();
    started.terminate();
    worker = null;
  };
  return started;
}

type WithoutId<T> = T extends { id: number } ? Omit<T, 'id'> : never;

async function ask(request: WithoutId<WorkerRequest>, transfer: Transferable[]) {
  worker ??= startWorker();
  const to = worker;
  const id = ++lastId;
  return await new Promise<WorkerReply>((resolve, reject) => {
    waiting.set(id, { resolve, reject });
    to.postMessage({ ...request, id }, transfer);
  });
}

/** Decodes an fg1 body; `body` is given away. */
export async function decodeView(body: ArrayBuffer): Promise<LoadedView> {
  const reply = await ask({ kind: 'decode', body }, [body]);
  if (reply.kind !== 'view') throw new Error(`the worker answered ${reply.kind} to decode`);
  return { id: reply.id, view: reply.view, answeredMs: Date.now() };
}

/** `raw`: among the names that compilers wrote, not the demangled ones. */
export async function searchView(
  viewId: number,
  text: string,
  raw: boolean,
): Promise<SearchResult> {
  const reply = await ask({ kind: 'search', viewId, text, raw }, []);
  if (reply.kind !== 'search') throw new Error(`the worker answered ${reply.kind} to search`);
  return reply.result;
}
