/** Errors of the product: what went wrong, where, which limit was hit and what to do. */

/** What a caller can do about an error; `api/` maps each kind to an HTTP status. */
export type ErrorKind =
  | 'invalid' // The input is malformed. Final.
  | 'unsupported' // The input is well-formed but of a kind we do not take. Final.
  | 'too-large' // A limit of size was exceeded. Final.
  | 'unprocessable' // Well-formed, but its meaning is not allowed. Final.
  | 'not-found'
  | 'conflict'
  | 'forbidden'
  | 'overloaded' // Try again later.
  | 'storage-full' // Try again when there is room.
  | 'cancelled'
  | 'unavailable'; // Something we depend on does not answer; try again.

export interface ErrorContext {
  /** The request parameter or message field at fault, e.g. `query` or `sample[3].location_id`. */
  field?: string;
  /** The limit that was hit, with its name, e.g. `MAX_STACK_DEPTH = 4096`. */
  limit?: string;
  /** 0-based offset of the fault: in characters in text, in bytes in binary input. */
  position?: number;
  /** What the sender can do about it, one sentence. */
  remedy?: string;
  cause?: unknown;
}

/** The one error class for operating errors. Broken invariants use `assert` instead. */
export class EverflameError extends Error {
  readonly kind: ErrorKind;
  readonly field: string | undefined;
  readonly limit: string | undefined;
  readonly position: number | undefined;
  readonly remedy: string | undefined;

  constructor(kind: ErrorKind, message: string, context: ErrorContext = {}) {
    super(message, 'cause' in context ? { cause: context.cause } : undefined);
    this.name = 'EverflameError';
    this.kind = kind;
    this.field = context.field;
    this.limit = context.limit;
    this.position = context.position;
    this.remedy = context.remedy;
  }
}

/** The plain-object form in which an EverflameError crosses a thread boundary. */
export interface ErrorRecord extends ErrorContext {
  kind: ErrorKind;
  message: string;
}

export function toErrorRecord(error: EverflameError): ErrorRecord {
  const record: ErrorRecord = { kind: error.kind, message: error.message };
  if (error.field !== undefined) record.field = error.field;
  if (error.limit !== undefined) record.limit = error.limit;
  if (error.position !== undefined) record.position = error.position;
  if (error.remedy !== undefined) record.remedy = error.remedy;
  return record;
}

export function fromErrorRecord(record: ErrorRecord): EverflameError {
  const { kind, message, ...context } = record;
  return new EverflameError(kind, message, context);
}

/** For what cannot happen unless our own code is wrong. Crashes rather than going on with it. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new Error(`broken invariant: ${message}`);
}
