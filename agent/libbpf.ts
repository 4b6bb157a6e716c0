/**
 * Every foreign function of the agent, each under its C prototype: libbpf (1.0 or newer) and libc.
 * Only thin shells that turn C's ways of failing into EverflameError; no policy.
 */
import koffi from 'koffi';
import { assert, EverflameError } from '../profile/errors.ts';

/** A `struct bpf_object *` and its kind; opaque to everything outside this file. */
type Pointer = bigint;

/** Linux' numbers, which koffi's errno() yields, for the few that the agent tells apart. */
export const Errno = {
  EPERM: 1,
  ENOENT: 2,
  EACCES: 13,
  ENODEV: 19,
} as const;

/** PROT_READ, PROT_WRITE, MAP_SHARED of asm-generic/mman-common.h. */
const PROT_READ = 1;
const PROT_WRITE = 2;
const MAP_SHARED = 1;
const SYS_PERF_EVENT_OPEN = process.arch === 'arm64' ? 241 : 298;
const PERF_FLAG_FD_CLOEXEC = 8;
const SC_PAGESIZE = 30;
/** bpf_object__open's print level for debug output, which is not kept. */
const LIBBPF_DEBUG = 2;
const LOG_LINE_BYTES = 16_384;
/** The verifier's log of a refused program can reach megabytes; its end says why. */
const MAX_LOG_LINES = 400;

function bind() {
  const bpf = koffi.load('libbpf.so.1');
  const libc = koffi.load('libc.so.6');
  // typedef int (*libbpf_print_fn_t)(enum libbpf_print_level level, const char *, va_list ap);
  // A va_list is passed as a pointer on x86-64 (array type) and arm64 (large struct) alike.
  const printFunction = koffi.pointer(koffi.proto(null, 'int', ['int', 'void *', 'void *']));
  return {
    printFunction,
    // libbpf_print_fn_t libbpf_set_print(libbpf_print_fn_t fn);
    setPrint: bpf.func('libbpf_set_print', 'void *', [printFunction]),
    // struct bpf_object *bpf_object__open(const char *path);
    openObject: bpf.func('void *bpf_object__open(const char *path)'),
    // int bpf_object__load(struct bpf_object *obj);
    loadObject: bpf.func('int bpf_object__load(void *obj)'),
    // void bpf_object__close(struct bpf_object *object);
    closeObject: bpf.func('void bpf_object__close(void *obj)'),
    // struct bpf_program *bpf_object__find_program_by_name(const struct bpf_object *obj,
    //                                                      const char *name);
    findProgram: bpf.func('void *bpf_object__find_program_by_name(void *obj, const char *name)'),
    // struct bpf_map *bpf_object__find_map_by_name(const struct bpf_object *obj,
    //                                              const char *name);
    findMap: bpf.func('void *bpf_object__find_map_by_name(void *obj, const char *name)'),
    // int bpf_map__set_max_entries(struct bpf_map *map, __u32 max_entries);
    setMaxEntries: bpf.func('int bpf_map__set_max_entries(void *map, uint32_t max_entries)'),
    // int bpf_map__fd(const struct bpf_map *map);
    mapFd: bpf.func('int bpf_map__fd(void *map)'),
    // struct bpf_link *bpf_program__attach_perf_event(const struct bpf_program *prog, int pfd);
    attachPerfEvent: bpf.func('void *bpf_program__attach_perf_event(void *prog, int pfd)'),
    // int bpf_link__destroy(struct bpf_link *link);
    destroyLink: bpf.func('int bpf_link__destroy(void *link)'),
    // int bpf_map_lookup_elem(int fd, const void *key, void *value);
    lookupElement: bpf.func('int bpf_map_lookup_elem(int fd, const void *key, void *value)'),
    // int bpf_map_update_elem(int fd, const void *key, const void *value, __u64 flags);
    updateElement: bpf.func(
      'int bpf_map_update_elem(int fd, const void *key, const void *value, uint64_t flags)',
    ),
    // int bpf_map_delete_elem(int fd, const void *key);
    deleteElement: bpf.func('int bpf_map_delete_elem(int fd, const void *key)'),
    // int bpf_map_get_next_key(int fd, const void *key, void *next_key);
    nextKey: bpf.func('int bpf_map_get_next_key(int fd, const void *key, void *next_key)'),
    // int libbpf_num_possible_cpus(void);
    possibleCpus: bpf.func('int libbpf_num_possible_cpus(void)'),
    // long syscall(long number, ...);
    syscall: libc.func('long syscall(long number, ...)'),
    // void *mmap(void *addr, size_t length, int prot, int flags, int fd, off_t offset);
    mmap: libc.func(
      'void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)',
    ),
    // long sysconf(int name);
    sysconf: libc.func('long sysconf(int name)'),
    // int close(int fd);
    close: libc.func('int close(int fd)'),
    // int vsnprintf(char *str, size_t size, const char *format, va_list ap);
    vsnprintf: libc.func('int vsnprintf(void *str, size_t size, void *format, void *ap)'),
    // char *strerror(int errnum);
    strerror: libc.func('const char *strerror(int errnum)'),
  };
}

export interface PerfEvent {
  cpu: number;
  link: Pointer;
}

/** An operating error of a system call, with the number by which callers tell causes apart. */
export class SystemCallError extends EverflameError {
  readonly errno: number;

  constructor(what: string, errno: number, reason: string) {
    super('unavailable', `${what}: ${reason}`);
    this.name = 'SystemCallError';
    this.errno = errno;
  }
}

export class Libbpf {
  readonly #c: ReturnType<typeof bind>;
  /** What libbpf printed since the last call that began a task; the verifier's log among it. */
  #log: string[] = [];
  readonly #line = Buffer.alloc(LOG_LINE_BYTES);

  constructor() {
    try {
      this.#c = bind();
    } catch (cause) {
      throw new EverflameError('unavailable', 'libbpf.so.1 cannot be loaded', {
        cause,
        remedy: 'Install libbpf (Debian: apt-get install libbpf1).',
      });
    }
    this.#c.setPrint(
      koffi.register((level: number, format: Pointer, args: Pointer) => {
        if (level < LIBBPF_DEBUG) this.#record(format, args);
        return 0;
      }, this.#c.printFunction),
    );
  }

  #record(format: Pointer, args: Pointer): void {
    const length = this.#c.vsnprintf(this.#line, LOG_LINE_BYTES, format, args) as number;
    const kept = Math.min(Math.max(length, 0), LOG_LINE_BYTES - 1);
    this.#log.push(...this.#line.toString('utf8', 0, kept).trimEnd().split('\n'));
    if (this.#log.length > MAX_LOG_LINES) this.#log = this.#log.slice(-MAX_LOG_LINES);
  }

  /** libbpf's own words about the last open, load or attach. */
  get log(): readonly string[] {
    return this.#log;
  }

  possibleCpus(): number {
    return this.#checked('libbpf_num_possible_cpus', this.#c.possibleCpus());
  }

  pageBytes(): number {
    return Number(this.#c.sysconf(SC_PAGESIZE));
  }

  openObject(path: string): BpfObject {
    this.#log = [];
    const pointer = this.#c.openObject(path) as Pointer | null;
    if (pointer === null) throw this.#failure(`cannot open the BPF object ${path}`);
    return new BpfObject(this.#c, pointer, (what) => this.#failure(what));
  }

  /**
   * Opens a software CPU-clock event on one CPU and attaches the program to it. Idle time is not
   * sampled. A frequency becomes a constant period of 1e9 / frequency ns for this kind of event.
   */
  attachCpuClock(program: Pointer, cpu: number, frequencyHz: number): PerfEvent {
    const attributes = cpuClockAttributes(frequencyHz);
    const fd = Number(
      this.#c.syscall(
        SYS_PERF_EVENT_OPEN,
        ...['void *', attributes, 'int', -1, 'int', cpu, 'int', -1],
        ...['unsigned long', PERF_FLAG_FD_CLOEXEC],
      ),
    );
    if (fd < 0) throw this.#failure(`perf_event_open on CPU ${cpu}`);
    this.#log = [];
    const link = this.#c.attachPerfEvent(program, fd) as Pointer | null;
    if (link === null) {
      const failure = this.#failure(`cannot attach to the clock of CPU ${cpu}`);
      this.#c.close(fd);
      throw failure;
    }
    return { cpu, link };
  }

  /** Ends sampling on the event's CPU and closes the event, which the link owns. */
  detach(event: PerfEvent): void {
    this.#c.destroyLink(event.link);
  }

  /** Maps memory of a BPF map; it stays mapped as long as the process runs. */
  map(fd: number, lengthBytes: number, offsetBytes: number, writable: boolean): ArrayBuffer {
    const protection = writable ? PROT_READ | PROT_WRITE : PROT_READ;
    const address = this.#c.mmap(
      null,
      lengthBytes,
      protection,
      MAP_SHARED,
      fd,
      offsetBytes,
    ) as Pointer | null;
    // MAP_FAILED is (void *)-1.
    if (address === null || BigInt.asIntN(64, address) === -1n) throw this.#failure('mmap');
    return koffi.view(address, lengthBytes);
  }

  /** Whether the key was there. Keys and values are as long as the map says. */
  lookup(fd: number, key: Uint8Array, value: Uint8Array): boolean {
    return this.#found('bpf_map_lookup_elem', this.#c.lookupElement(fd, key, value));
  }

  update(fd: number, key: Uint8Array, value: Uint8Array): void {
    this.#checked('bpf_map_update_elem', this.#c.updateElement(fd, key, value, 0));
  }

  delete(fd: number, key: Uint8Array): boolean {
    return this.#found('bpf_map_delete_elem', this.#c.deleteElement(fd, key));
  }

  /** The key after `key`, or the first one for null; false at the end. */
  nextKey(fd: number, key: Uint8Array | null, next: Uint8Array): boolean {
    return this.#found('bpf_map_get_next_key', this.#c.nextKey(fd, key, next));
  }

  #found(what: string, result: unknown): boolean {
    if (result === 0) return true;
    if (koffi.errno() === Errno.ENOENT) return false;
    throw this.#failure(what);
  }

  #checked(what: string, result: unknown): number {
    assert(typeof result === 'number', `${what} returns an int`);
    if (result < 0) throw this.#failure(what);
    return result;
  }

  #failure(what: string): SystemCallError {
    const errno = koffi.errno();
    return new SystemCallError(what, errno, String(this.#c.strerror(errno)));
  }
}

export class BpfObject {
  readonly #c: ReturnType<typeof bind>;
  readonly #pointer: Pointer;
  readonly #failure: (what: string) => SystemCallError;

  constructor(
    c: ReturnType<typeof bind>,
    pointer: Pointer,
    failure: (what: string) => SystemCallError,
  ) {
    this.#c = c;
    this.#pointer = pointer;
    this.#failure = failure;
  }

  /** Before `load` only. */
  setMaxEntries(map: string, entries: number): void {
    if (this.#c.setMaxEntries(this.#map(map), entries) !== 0) {
      throw this.#failure(`cannot size the map ${map}`);
    }
  }

  load(): void {
    if (this.#c.loadObject(this.#pointer) !== 0) {
      throw this.#failure('the kernel refused the BPF programs');
    }
  }

  mapFd(map: string): number {
    return this.#c.mapFd(this.#map(map)) as number;
  }

  program(name: string): Pointer {
    const program = this.#c.findProgram(this.#pointer, name) as Pointer | null;
    assert(program !== null, `the BPF object has a program ${name}`);
    return program;
  }

  /** Unloads programs and maps that nothing else holds. */
  close(): void {
    this.#c.closeObject(this.#pointer);
  }

  #map(name: string): Pointer {
    const map = this.#c.findMap(this.#pointer, name) as Pointer | null;
    assert(map !== null, `the BPF object has a map ${name}`);
    return map;
  }
}

/** struct perf_event_attr up to its first published size (PERF_ATTR_SIZE_VER0, 64 bytes). */
function cpuClockAttributes(frequencyHz: number): Uint8Array {
  const attributes = new DataView(new ArrayBuffer(64));
  const disabled = 1n << 0n;
  const excludeIdle = 1n << 7n;
  const freq = 1n << 10n;
  attributes.setUint32(0, 1, true); // type = PERF_TYPE_SOFTWARE
  attributes.setUint32(4, 64, true); // size
  attributes.setBigUint64(8, 0n, true); // config = PERF_COUNT_SW_CPU_CLOCK
  attributes.setBigUint64(16, BigInt(frequencyHz), true); // sample_freq
  attributes.setBigUint64(40, disabled | excludeIdle | freq, true);
  return new Uint8Array(attributes.buffer);
}
