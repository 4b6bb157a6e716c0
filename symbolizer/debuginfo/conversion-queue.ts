/** One conversion at a time: each may take a gigabyte. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_QUEUED_CONVERSIONS } from '../../profile/limits.ts';
import type { Conversion, ConversionJob } from './convert.ts';
import { CONVERTER_LIMITS, convertInChild } from './converter.ts';

export class ConversionQueue {
  readonly #closing = new AbortController();
  #waiting = 0;
  #last: Promise<unknown> = Promise.resolve();

  /** Throws EverflameError: the conversion's, `overloaded` for a full queue, or `cancelled`. */
  convert(job: ConversionJob): Promise<Conversion> {
    if (this.#waiting >= MAX_QUEUED_CONVERSIONS) {
      const limit = `MAX_QUEUED_CONVERSIONS = ${MAX_QUEUED_CONVERSIONS}`;
      const error = new EverflameError('overloaded', 'too many files wait for conversion', {
        limit,
      });
      return Promise.reject(error);
    }
    this.#waiting++;
    const result = this.#last.then(() => this.#run(job));
    this.#last = result.catch(() => undefined);
    return result;
  }

  async close(): Promise<void> {
    this.#closing.abort();
    await this.#last;
  }

  async #run(job: ConversionJob): Promise<Conversion> {
    const { signal } = this.#closing;
    try {
      if (signal.aborted) throw cancelled();
      return await convertInChild(job, CONVERTER_LIMITS, signal);
    } catch (error) {
      throw signal.aborted ? cancelled() : error;
    } finally {
      this.#waiting--;
    }
  }
}

function cancelled(): EverflameError {
  return new EverflameError('cancelled', 'the server is shutting down');
}
