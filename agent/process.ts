/**
 * One program image that was sampled: who it is, and which frame an address of it is. /proc is read
 * when the first sample arrives, because the process may be gone at the end of the window.
 */
import { existsSync, readFileSync, readlinkSync } from 'node:fs';
import { EverflameError } from '../profile/errors.ts';
import { JIT_MAPPING } from '../profile/flame/frame.ts';
import { PerfMapFile } from '../symbolizer/host/perf-map-file.ts';
import { type Binaries, Binary, type BinaryProblem } from './binaries.ts';
import { type CgroupNames, parseCgroup } from './cgroup.ts';
import type { Frame, NamedFrames } from './frames.ts';
import { MapsPacing } from './maps-pacing.ts';
import {
  type MemoryMapping,
  type ProcessStat,
  parseMaps,
  parseStat,
  parseStatus,
  startTicksOf,
} from './proc-files.ts';
import type { ImageKey, ProcessRecord } from './sample-record.ts';
import { VDSO_PATH, type VdsoFrames } from './vdso.ts';

/** What all processes share. */
export interface HostTables {
  frames: NamedFrames;
  binaries: Binaries;
  vdso: VdsoFrames | null;
}

/** Why the user frames of a process have no mapping table; null where they have one. */
export type Obstacle = 'process exited' | 'mappings unreadable';

/** Addresses of one process that keep their frame. */
const MAX_CACHED_FRAMES = 16_384;
/** Windows of a process at whose end its name is read again. */
const NAMING_WINDOWS = 2;
const NO_CGROUP: CgroupNames = { containerId: '', systemdUnit: '' };

interface OpenMapping extends MemoryMapping {
  /** Opened when the mapping is first seen; `jit` for memory that no file backs. */
  binary: Binary | BinaryProblem | 'jit' | 'vdso';
}

export class Process {
  readonly key: ImageKey;
  readonly kernelThread: boolean;
  comm: string;
  /** Path of the executable as the process sees it; empty where unknown. */
  exe = '';
  cgroup: CgroupNames = NO_CGROUP;
  obstacle: Obstacle | null = null;
  readonly #host: HostTables;
  #mappings: OpenMapping[] = [];
  /** Opened for the first frame of generated code, which few processes have. */
  #perfMap: PerfMapFile | null | 'not opened' = 'not opened';
  readonly #cached = new Map<number, Frame>();
  readonly #mapsPacing = new MapsPacing();
  /** An unknown address is a reason to look again once in a window. */
  #refreshedPerfMap = false;
  #windows = 0;

  constructor(key: ImageKey, record: ProcessRecord | null, host: HostTables) {
    this.key = key;
    this.#host = host;
    this.comm = record?.comm ?? '';
    this.kernelThread = record?.kernelThread ?? false;
    if (this.kernelThread) return;
    try {
      this.#read();
    } catch (error) {
      this.obstacle = obstacleOf(error);
    }
  }

  get #directory(): string {
    return `/proc/${this.key.tgid}`;
  }

  /** No process has the pid any more. */
  get isGone(): boolean {
    return !existsSync(this.#directory);
  }

  /** Null if the pid is not this very image any more, but another one's that began since. */
  #readStat(): ProcessStat | null {
    const stat = parseStat(readFileSync(`${this.#directory}/stat`, 'utf8'));
    const sameStart = stat.startTicks === startTicksOf(this.key.startNs);
    // Without the right to see it, the stack's top reads as 0 and proves nothing.
    const sameImage = stat.startStack === 0n || stat.startStack === this.key.image;
    return sameStart && (sameImage || this.key.image === 0n) ? stat : null;
  }

  /** Each file of /proc costs about 20 us, and hosts start processes all the time. */
  #read(): void {
    const stat = this.#readStat();
    if (stat === null) {
      this.obstacle = 'process exited';
      return;
    }
    this.comm = stat.comm;
    this.cgroup = parseCgroup(readFileSync(`${this.#directory}/cgroup`, 'utf8'));
    this.exe = readlinkSync(`${this.#directory}/exe`).replace(/ \(deleted\)$/, '');
    this.#readMappings();
    // Had it ended or begun another program meanwhile, what was read may be of either.
    if (this.#readStat() === null) this.obstacle = 'process exited';
  }

  #readMappings(): void {
    const before = new Map(this.#mappings.map((mapping) => [mapping.start, mapping]));
    let kept = 0;
    this.#mappings = parseMaps(readFileSync(`${this.#directory}/maps`, 'utf8')).map((mapping) => {
      const known = before.get(mapping.start);
      const same = known?.end === mapping.end && known.inode === mapping.inode;
      if (!same || known.fileOffset !== mapping.fileOffset) {
        return { ...mapping, binary: this.#open(mapping) };
      }
      kept++;
      return known;
    });
    // New mappings change nothing about the addresses that had one.
    if (kept < before.size) this.#cached.clear();
  }

  #open(mapping: MemoryMapping): OpenMapping['binary'] {
    if (mapping.path === VDSO_PATH) return 'vdso';
    // Memory files and shared anonymous memory hold generated code as plain anonymous memory does.
    const generated = /^(?:\[|\/memfd:|\/dev\/zero$|\/SYSV|\/\/anon|anon_inode:)/;
    if (mapping.path === '' || generated.test(mapping.path)) return 'jit';
    return this.#host.binaries.open(this.key.tgid, mapping);
  }

  /**
   * Lets the next unknown address look for new mappings and perf map entries again. Programs that
   * set a name of their own do so soon after they start, so it is read in the first windows.
   */
  beginWindow(): void {
    this.#mapsPacing.beginWindow();
    this.#refreshedPerfMap = false;
    if (this.#windows++ < NAMING_WINDOWS) this.#refreshComm();
  }

  #refreshComm(): void {
    if (this.kernelThread || this.obstacle !== null) return;
    try {
      this.comm = this.#readStat()?.comm ?? this.comm;
    } catch (error) {
      // What was read when it lived stays true; only its memory cannot be looked at again.
      obstacleOf(error);
    }
  }

  /** Program counters, leaf first -> frames, leaf first. All but the leaf are return addresses. */
  resolve(stack: BigUint64Array): Frame[] {
    if (this.obstacle !== null) return [this.#host.frames.unknown(this.obstacle)];
    // As pairs of words: a 64-bit integer in JavaScript is an object. User addresses fit a number.
    const words = new Uint32Array(stack.buffer, stack.byteOffset, 2 * stack.length);
    const frames = new Array<Frame>(stack.length);
    for (let i = 0; i < stack.length; i++) {
      const address = (words[2 * i + 1] as number) * 2 ** 32 + (words[2 * i] as number);
      frames[i] = i === 0 ? this.#frame(address, true) : this.#frame(address - 1, false);
    }
    return frames;
  }

  /** Binaries that are mapped now and could be opened. */
  *binaries(): Iterable<Binary> {
    for (const { binary } of this.#mappings) if (binary instanceof Binary) yield binary;
  }

  #frame(address: number, isLeaf: boolean): Frame {
    const known = this.#cached.get(address);
    if (known !== undefined) return known;
    const mapping = this.#find(address) ?? this.#findNew(address, isLeaf);
    if (mapping === null) return this.#host.frames.unknown('no mapping');
    // Generated code is replaced in place, so only frames of files are kept.
    if (mapping.binary === 'jit') return this.#generatedFrame(address);
    const frame = this.#fileFrame(mapping, address);
    if (this.#cached.size >= MAX_CACHED_FRAMES) this.#cached.clear();
    this.#cached.set(address, frame);
    return frame;
  }

  #fileFrame(mapping: OpenMapping, address: number): Frame {
    const { frames, vdso } = this.#host;
    const { binary } = mapping;
    const offset = address - mapping.start + mapping.fileOffset;
    if (binary === 'vdso') return vdso?.frameAt(offset) ?? frames.unknown('no symbol', VDSO_PATH);
    if (typeof binary === 'string') return frames.unknown(binary, mapping.path);
    return binary.frameAt(offset) ?? frames.unknown('outside of all segments', mapping.path);
  }

  #generatedFrame(address: number): Frame {
    const { frames } = this.#host;
    if (this.#perfMap === 'not opened') this.#perfMap = this.#openPerfMap();
    const perfMap = this.#perfMap;
    if (perfMap === null) return frames.unknown('no perf map', JIT_MAPPING);
    const first = perfMap.map.count > 0 ? perfMap.map.lookup(address) : null;
    const name = first ?? (this.#refreshPerfMap(perfMap) ? perfMap.map.lookup(address) : null);
    if (name !== null) return frames.get(JIT_MAPPING, name);
    const reason = perfMap.map.count > 0 ? 'not in the perf map' : 'no perf map';
    return frames.unknown(reason, JIT_MAPPING);
  }

  #find(address: number): OpenMapping | null {
    let begin = 0;
    let end = this.#mappings.length;
    while (begin < end) {
      const middle = (begin + end) >>> 1;
      if ((this.#mappings[middle] as OpenMapping).start <= address) begin = middle + 1;
      else end = middle;
    }
    const mapping = this.#mappings[begin - 1];
    return mapping !== undefined && address < mapping.end ? mapping : null;
  }

  /** Looks in the mappings as they are now, where that is due. */
  #findNew(address: number, isLeaf: boolean): OpenMapping | null {
    if (!this.#mapsPacing.allows(isLeaf)) return null;
    this.#refreshMaps();
    const mapping = this.#find(address);
    this.#mapsPacing.settle(isLeaf, mapping !== null);
    return mapping;
  }

  #refreshMaps(): void {
    try {
      if (this.#readStat() !== null) this.#readMappings();
    } catch (error) {
      // The mappings known so far still name what they can; the rest is `no mapping`.
      obstacleOf(error);
    }
  }

  /** Null where the process is gone, and its map with it, or where we may not look. */
  #openPerfMap(): PerfMapFile | null {
    try {
      const status = parseStatus(readFileSync(`${this.#directory}/status`, 'utf8'));
      const path = `${this.#directory}/root/tmp/perf-${status.namespacePid}.map`;
      return new PerfMapFile(path, status.uid);
    } catch (error) {
      obstacleOf(error);
      return null;
    }
  }

  #refreshPerfMap(perfMap: PerfMapFile): boolean {
    if (this.#refreshedPerfMap) return false;
    this.#refreshedPerfMap = true;
    try {
      perfMap.refresh();
      return true;
    } catch {
      // Most processes write none, and one that is not theirs is not read: `no perf map` says so.
      return false;
    }
  }
}

/** What a failure of reading /proc/PID means. A broken invariant is not ours to handle. */
function obstacleOf(error: unknown): Obstacle {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  if (code === 'ENOENT' || code === 'ESRCH') return 'process exited';
  if (code !== undefined || error instanceof EverflameError) return 'mappings unreadable';
  throw error;
}
