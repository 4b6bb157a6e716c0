/**
 * Keeps the insides of a server open. Where the database ends itself, as DuckDB does when a
 * checkpoint finds no room, everything below HTTP is closed and opened again from what is on disk;
 * meanwhile the same port answers that it cannot answer.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createOutage } from '../api/outage.ts';
import { EverflameError } from '../profile/errors.ts';
import { volumeOf } from '../store/duckdb/sql/disk-space.ts';
import { type AppSettings, openServerApp, type ServerApp } from './server-app.ts';

/** How often a full disk is looked at. */
const POLL_MS = 1_000;
/** The old insides get this long to close. */
const CLOSE_MS = 10_000;
/** Insides that last no longer were opened in vain. */
const LASTING_MS = 10_000;
const MAX_IN_VAIN = 3;

type Answer = (...request: Parameters<ServerApp['app']['fetch']>) => Response | Promise<Response>;

export class AppKeeper {
  /** Resolves with the reason when opening again is given up. */
  readonly failed: Promise<EverflameError>;
  #giveUp: (reason: EverflameError) => void = () => undefined;
  readonly #settings: AppSettings;
  #app: ServerApp | null = null;
  #answer: Answer;
  #openedMs = 0;
  #restarts = 0;
  #inVain = 0;
  #lastRestart: Promise<void> = Promise.resolve();
  readonly #closing = new AbortController();

  /** Opens the insides; an error is that of the first time. */
  static async open(settings: AppSettings): Promise<AppKeeper> {
    const keeper = new AppKeeper(settings);
    await keeper.#open();
    return keeper;
  }

  private constructor(settings: AppSettings) {
    this.#settings = settings;
    this.#answer = createOutage(new EverflameError('unavailable', 'the server is starting'), '');
    this.failed = new Promise((resolve) => {
      this.#giveUp = resolve;
    });
  }

  readonly fetch: Answer = (...request) => this.#answer(...request);

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#lastRestart;
    await this.#app?.close();
  }

  async #open(): Promise<void> {
    const app = await openServerApp({ ...this.#settings, readRestarts: () => this.#restarts });
    this.#app = app;
    this.#answer = (...request) => app.app.fetch(...request);
    this.#openedMs = performance.now();
    void app.ended.then((reason) => {
      this.#lastRestart = this.#lastRestart.then(() => this.#restart(reason));
    });
  }

  async #restart(first: EverflameError): Promise<void> {
    if (this.#closing.signal.aborted) return;
    const { log, dataDir } = this.#settings;
    let reason = first;
    const lasted = performance.now() - this.#openedMs >= LASTING_MS;
    this.#inVain = lasted ? 0 : this.#inVain + 1;
    log(`the store has ended and is opened again: ${reason.message}`);
    this.#tell(reason);
    await this.#closeOld();
    if (this.#inVain >= MAX_IN_VAIN) {
      this.#giveUp(reason);
      return;
    }
    const disk = volumeOf(dataDir);
    while (!this.#closing.signal.aborted) {
      const full = disk.fault();
      if (full === null) {
        const [opened] = await Promise.allSettled([this.#open()]);
        if (opened.status === 'fulfilled') break;
        reason = toReason(opened.reason);
        if (reason.kind !== 'storage-full') {
          this.#giveUp(reason);
          return;
        }
      }
      this.#tell(full ?? reason);
      await this.#pause();
    }
    if (this.#app === null) return;
    this.#restarts++;
    log('the store is open again');
  }

  #tell(reason: EverflameError): void {
    this.#answer = createOutage(reason, this.#settings.pathPrefix);
  }

  /** What does not close in time still holds its file, so that opening again will say so. */
  async #closeOld(): Promise<void> {
    const closing = this.#app?.close();
    this.#app = null;
    const timer = new AbortController();
    const timeout = sleep(CLOSE_MS, undefined, { signal: timer.signal });
    const [closed] = await Promise.allSettled([Promise.race([closing, timeout])]);
    timer.abort();
    await Promise.allSettled([timeout]);
    if (closed.status === 'rejected') this.#settings.log(toReason(closed.reason).message);
  }

  async #pause(): Promise<void> {
    const { signal } = this.#closing;
    await Promise.allSettled([sleep(POLL_MS, undefined, { signal })]);
  }
}

function toReason(error: unknown): EverflameError {
  if (error instanceof EverflameError) return error;
  return new EverflameError('unavailable', String(error), { cause: error });
}
