/** Starts the thread that sends as the fleet does, and hears what it sent. */
import { once } from 'node:events';
import { startThread } from '../cli/thread.ts';

export interface FleetJob {
  /** The server's. */
  url: string;
  /** Part of batch and agent ids. */
  run: string;
  /** When window 0 begins. */
  startMs: number;
  fromWindow: number;
  toWindow: number;
  clients: number;
  /** 0 = as many as are taken. The fleet sends 10 a second. */
  requestsPerSecond: number;
}

export interface FleetSums {
  requests: number;
  /** Answers 429 and 503; each was sent again. */
  refused: number;
  /** Older than what the server keeps by the time that it was sent; in no other figure. */
  tooOld: number;
  rows: number;
  profiles: number;
  cpuSamples: number;
  offCpuNs: number;
  bytes: number;
  /** Windows before it were sent by all hosts. */
  endWindow: number;
  latenciesMs: number[];
}

export type FleetMessage =
  | { kind: 'hour'; rows: number }
  | { kind: 'sent'; requests: number }
  | { kind: 'done'; sums: FleetSums };

export interface FleetPush {
  /** Answered so far. */
  readonly requests: number;
  done: Promise<FleetSums>;
  /** Ends it after the window that is being sent. */
  stop(): Promise<FleetSums>;
}

export function startFleetPush(job: FleetJob): FleetPush {
  const worker = startThread('../bench/fleet-sender');
  let requests = 0;
  const done = new Promise<FleetSums>((resolve, reject) => {
    worker.on('error', reject);
    worker.on('message', (message: FleetMessage) => {
      if (message.kind === 'hour') console.log(`  ${message.rows} rows sent`);
      else if (message.kind === 'sent') requests = message.requests;
      else resolve(message.sums);
    });
    void once(worker, 'exit').then(() => reject(new Error('the sending thread ended')));
  }).finally(() => worker.terminate());
  worker.postMessage(job);
  return {
    get requests() {
      return requests;
    },
    done,
    stop: () => {
      worker.postMessage('stop');
      return done;
    },
  };
}
