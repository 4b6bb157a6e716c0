/**
 * The server's symbolizer as `api/` sees it: files come in from agents, people, this machine's
 * disk and debuginfod servers; symbol files come out. Looking up an address in a symbol file is
 * symbolizer/symbol-file/, which runs in the worker that asks.
 */
import type { BuildId } from '../profile/units.ts';
import type { LeftOut } from './left-out.ts';

/** What one build id can have: the program, its separate debug information, its .dwo files. */
export type DebuginfoKind = 'executable' | 'debuginfo' | 'split';

/** What a symbol file can say: lines and inlined calls, all names, names of exported functions. */
export type QualityName = 'lines' | 'symbols' | 'exported' | 'none';

export interface WantedQuestion {
  buildId: BuildId;
  kind: DebuginfoKind;
  /** Basename, for people. */
  file: string;
  sizeBytes: number;
  /** The most that the file can say; where it is absent, what its kind usually does. */
  quality?: QualityName;
}

export interface WantedAnswer {
  buildId: BuildId;
  wanted: DebuginfoKind | 'no';
  /** E.g. `have lines`, `leased to another agent until ...`, `over the limit of ...`. */
  why: string;
  /** Sent back with the upload; empty where nothing is wanted. */
  lease: string;
  /** Bytes the server has of an interrupted upload. */
  offset: number;
}

/**
 * Why a build id has no symbol file though something of it is here or was: it waits for its
 * conversion, that failed (see DebuginfoStatus), it had to go to keep to --debuginfo-bytes, or
 * there are only .dwo files.
 */
export type NoSymbolsReason = 'waiting' | 'failed' | 'evicted' | 'incomplete';

/** A converted file that workers may open. */
export interface SymbolFileRow {
  buildId: BuildId;
  path: string;
  /** Grows when a better source replaces the file; a worker's cached answers are then stale. */
  generation: number;
}

export interface MissingSymbolFile {
  buildId: BuildId;
  missing: NoSymbolsReason;
}

export type DebuginfoOrigin = 'upload' | 'local' | 'debuginfod';

/** A file that a symbol file is made from. */
export interface DebuginfoSource {
  kind: DebuginfoKind | 'supplementary';
  /** As its sender calls it; empty where that is not known. */
  file: string;
  origin: DebuginfoOrigin;
  /** Who sent it, or its path or address. */
  from: string;
  sizeBytes: number;
  receivedMs: number;
}

/**
 * `ready`: converted. `converting`: at work or waiting for it. `receiving`: an upload or download
 * is under way. `failed`: see `problem`. `absent`: nothing is here.
 */
export type DebuginfoState = 'ready' | 'converting' | 'receiving' | 'failed' | 'absent';

/** What is known of one build id. */
export interface DebuginfoStatus {
  buildId: BuildId;
  /** Basename of the binary, as profiles have it where any did so far. */
  file: string;
  state: DebuginfoState;
  quality: QualityName;
  sources: readonly DebuginfoSource[];
  symbolFileBytes: number;
  functions: number;
  inlinedCalls: number;
  /** What the symbol file lacks of its sources. */
  leftOut: LeftOut;
  /** What went wrong, or is missing, and what to do about it; both empty where nothing is. */
  problem: string;
  remedy: string;
  /** When it is looked for again by itself; null = not planned. */
  retryMs: number | null;
}

/** The store of debug information as a whole. */
export interface DebuginfoFacts {
  bytesOnDisk: number;
  maxBytes: number;
  /** Where else it looks, in order. */
  localPaths: readonly string[];
  debuginfodUrls: readonly string[];
}

export interface UploadRequest {
  buildId: BuildId;
  kind: DebuginfoKind;
  file: string;
  lease: string;
  /** Who sends it, for people. */
  from: string;
  /** From Content-Range; `totalBytes` is the whole file. */
  offset: number;
  totalBytes: number;
  body: AsyncIterable<Uint8Array>;
}

export interface UploadOutcome {
  /** Bytes of the file that are here. */
  receivedBytes: number;
  complete: boolean;
  /** What the build id has now; after the last byte `converting` where that takes long. */
  state: DebuginfoState;
  quality: QualityName;
}

/** A binary that an answer names. */
export interface NamedBinary {
  buildId: BuildId;
  /** Basename. */
  file: string;
}

/** A file as it was received, or a part of one, for those who ask for it by build id. */
export interface KeptBytes {
  path: string;
  /** What the binary is called. */
  file: string;
  offset: number;
  sizeBytes: number;
}

/** Figures since the start, by outcome, and levels. */
export interface SymbolizerStats {
  entries: number;
  bytesOnDisk: number;
  evictions: number;
  waitingConversions: number;
  conversionSeconds: number;
  conversions: Readonly<
    Record<'adopted' | 'kept' | 'failed' | 'postponed' | 'symbolsOnly', number>
  >;
  debuginfod: Readonly<Record<'found' | 'absent' | 'failed', number>>;
  debuginfodBytes: number;
  droppedLookups: number;
}

export interface Symbolizer {
  wanted(questions: readonly WantedQuestion[], agent: string): Promise<WantedAnswer[]>;
  /**
   * Takes a part or the whole of a file. After the last byte the file is converted in a child
   * process, which checks that its own build id is `buildId`; a conversion that takes long goes on
   * after the answer. Throws EverflameError for a file that is refused until then.
   */
  upload(request: UploadRequest): Promise<UploadOutcome>;
  /** Every symbol file there is; the same array until an entry changes. */
  symbolFiles(): readonly SymbolFileRow[];
  /** Of which something is or was here, and no symbol file; the same array until then. */
  missingSymbolFiles(): readonly MissingSymbolFile[];
  /** These were asked for: they stay longer, and what is missing of them is looked for. */
  notice(binaries: readonly NamedBinary[]): void;
  /** Every build id of which something is known. */
  status(): DebuginfoStatus[];
  /** Of one; null where nothing is known of it. */
  statusOf(buildId: BuildId): DebuginfoStatus | null;
  /** Of a build id of which nothing is known but what it is called. */
  absentStatus(binary: NamedBinary): DebuginfoStatus;
  facts(): DebuginfoFacts;
  /** Looks for it again everywhere and converts again what is here. */
  retry(buildId: BuildId): void;
  /** Forgets it with all its files; false where there is nothing. */
  remove(buildId: BuildId): boolean;
  /** `executable` only where the whole program is here, not an extraction without its code. */
  keptFile(buildId: BuildId, kind: 'debuginfo' | 'executable'): KeptBytes | null;
  /** The section of that name, as it lies in the file; null where nothing has its bytes. */
  keptSection(buildId: BuildId, name: string): KeptBytes | null;
  stats(): SymbolizerStats;
  close(): Promise<void>;
}
