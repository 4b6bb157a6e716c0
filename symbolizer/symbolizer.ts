/**
 * The server's symbolizer as `api/` sees it: uploads come in, symbol files come out. Looking up an
 * address in a symbol file is symbolizer/symbol-file.ts, which runs in the worker that asks.
 */
import type { BuildId } from '../profile/units.ts';

export type DebuginfoKind = 'executable' | 'debuginfo';

export interface WantedQuestion {
  buildId: BuildId;
  kind: DebuginfoKind;
  /** Basename, for people. */
  file: string;
  sizeBytes: number;
}

export interface WantedAnswer {
  buildId: BuildId;
  wanted: DebuginfoKind | 'no';
  /** E.g. `have symbols`, `leased to another agent until ...`, `over --debuginfo-bytes`. */
  why: string;
  /** Sent back with the upload; empty where nothing is wanted. */
  lease: string;
  /** Bytes the server has of an interrupted upload. */
  offset: number;
}

/** A converted file that workers may open. */
export interface SymbolFileRow {
  buildId: BuildId;
  path: string;
  /** Grows when a better source replaces the file; a worker's cached answers are then stale. */
  generation: number;
}

export interface DebuginfoStatus {
  buildId: BuildId;
  file: string;
  source: 'upload' | 'none';
  quality: 'symbols' | 'none';
  sizeBytes: number;
  functions: number;
  uploadedMs: number | null;
  /** What went wrong and what to do; empty where nothing did. */
  problem: string;
}

export interface UploadRequest {
  buildId: BuildId;
  kind: DebuginfoKind;
  file: string;
  lease: string;
  /** From Content-Range; `totalBytes` is the whole file. */
  offset: number;
  totalBytes: number;
  body: AsyncIterable<Uint8Array>;
}

export interface Symbolizer {
  wanted(questions: readonly WantedQuestion[], agent: string): Promise<WantedAnswer[]>;
  /**
   * Takes a part or the whole of a file; after the last byte the file is checked (its own build id
   * must be `buildId`) and converted in a child process. Resolves with the bytes held so far.
   */
  upload(request: UploadRequest): Promise<{ receivedBytes: number; complete: boolean }>;
  /** Every symbol file there is; the same array until one was added or replaced. */
  symbolFiles(): readonly SymbolFileRow[];
  status(): Promise<DebuginfoStatus[]>;
  close(): Promise<void>;
}
