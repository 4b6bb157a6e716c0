/** V8's CPU profiles of this process: of the main thread and of each worker thread. */
import { type NodeWorker, type Profiler, Session } from 'node:inspector';

export interface ThreadProfile {
  /** `main`, or the worker's name. */
  thread: string;
  profile: Profiler.Profile;
}

export interface Recording {
  threads: ThreadProfile[];
  /** Names of threads that did not hand over their profile in time, or ended before. */
  missing: string[];
}

/** A worker that is in the middle of native code answers after it. */
const STOP_TIMEOUT_MS = 10_000;

/**
 * Samples all threads for a time, each `intervalUs` of it. An abort ends the recording early; what
 * was sampled until then is returned.
 */
export async function recordThreads(
  durationMs: number,
  intervalUs: number,
  signal: AbortSignal,
): Promise<Recording> {
  const session = new Session();
  session.connect();
  const workers = new Map<string, WorkerSession>();
  const missing: string[] = [];
  session.on('NodeWorker.attachedToWorker', ({ params }) => {
    const worker = new WorkerSession(session, params);
    workers.set(params.sessionId, worker);
    worker.start(intervalUs);
  });
  session.on('NodeWorker.receivedMessageFromWorker', ({ params }) => {
    workers.get(params.sessionId)?.receive(params.message);
  });
  session.on('NodeWorker.detachedFromWorker', ({ params }) => {
    const worker = workers.get(params.sessionId);
    if (worker !== undefined) missing.push(worker.thread);
    workers.delete(params.sessionId);
  });
  try {
    await post(session, 'Profiler.enable');
    await post(session, 'Profiler.setSamplingInterval', { interval: intervalUs });
    await post(session, 'Profiler.start');
    await post(session, 'NodeWorker.enable', { waitForDebuggerOnStart: false });
    await pause(durationMs, signal);
    return await stopAll(session, [...workers.values()], missing);
  } finally {
    session.disconnect();
  }
}

async function stopAll(
  session: Session,
  workers: readonly WorkerSession[],
  missing: string[],
): Promise<Recording> {
  const stopped = workers.map((worker) => worker.stop(STOP_TIMEOUT_MS));
  const main = (await post(session, 'Profiler.stop')) as Profiler.StopReturnType;
  const threads: ThreadProfile[] = [{ thread: 'main', profile: main.profile }];
  for (const [row, profile] of (await Promise.all(stopped)).entries()) {
    const thread = workers[row]?.thread ?? '';
    if (profile === null) missing.push(thread);
    else threads.push({ thread, profile });
  }
  return { threads, missing };
}

/** The profiler of one worker, spoken to through the main thread's session. */
class WorkerSession {
  readonly thread: string;
  readonly #session: Session;
  readonly #sessionId: string;
  #nextId = 1;
  #stopId = 0;
  #onProfile: (profile: Profiler.Profile | null) => void = () => undefined;

  constructor(session: Session, info: NodeWorker.AttachedToWorkerEventDataType) {
    this.#session = session;
    this.#sessionId = info.sessionId;
    // Node's titles are `[worker 3] tree-worker`.
    this.thread = info.workerInfo.title.replace(/^\[worker \d+\] */, '') || 'worker';
  }

  start(intervalUs: number): void {
    this.#send('Profiler.enable');
    this.#send('Profiler.setSamplingInterval', { interval: intervalUs });
    this.#send('Profiler.start');
  }

  /** The profile; null where it does not come in time. */
  stop(timeoutMs: number): Promise<Profiler.Profile | null> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(null), timeoutMs);
      this.#onProfile = (profile) => {
        clearTimeout(timer);
        resolve(profile);
      };
      this.#stopId = this.#send('Profiler.stop');
    });
  }

  receive(message: string): void {
    const reply = JSON.parse(message) as { id?: number; result?: Profiler.StopReturnType };
    if (reply.id === this.#stopId) this.#onProfile(reply.result?.profile ?? null);
  }

  #send(method: string, params: object = {}): number {
    const id = this.#nextId++;
    const message = JSON.stringify({ id, method, params });
    this.#session.post('NodeWorker.sendMessageToWorker', { sessionId: this.#sessionId, message });
    return id;
  }
}

function post(session: Session, method: string, params: object = {}): Promise<unknown> {
  return new Promise((resolve, reject) => {
    session.post(method, params, (error, result) => {
      if (error === null) resolve(result);
      else reject(error);
    });
  });
}

/** Ends early, and without an error, on abort. */
function pause(durationMs: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal.removeEventListener('abort', end);
      resolve();
    };
    const timer = setTimeout(end, durationMs);
    signal.addEventListener('abort', end);
    if (signal.aborted) end();
  });
}
