/** Canned answers about debug information: every state once, and as many more as a fleet has. */
import type { DebuginfoJson, DebuginfoRowJson } from '../../wire/http.ts';

const HOUR_MS = 3_600_000;

type Sketch = Partial<Omit<DebuginfoRowJson, 'sources' | 'file'>> & {
  file: string;
  /** `kind origin from bytes`, one per source. */
  sources?: readonly string[];
};

/** Its place in the list below. */
export const PRICING_ENGINE = 1;
const READY = { state: 'ready', quality: 'lines' } as const;

const SKETCHES: readonly Sketch[] = [
  {
    ...READY,
    file: 'checkout',
    self: 0.31,
    total: 0.376,
    functions: 48_211,
    inlined_calls: 190_422,
    symbol_file_bytes: 6.1e6,
    left_out: { removed_ranges: 1_204, repeated_line_rows: 88 },
    sources: ['executable upload web-17.shop.example 24100000'],
  },
  {
    ...READY,
    file: 'pricing-engine',
    self: 0.152,
    total: 0.296,
    functions: 31_874,
    inlined_calls: 402_113,
    symbol_file_bytes: 11.4e6,
    left_out: { damaged_units: 2, damaged_names: 17, overlapping_ranges: 3 },
    sources: [
      'debuginfo upload ci-runner-4 88200000',
      'supplementary local /usr/lib/debug/.dwz/pricing.debug 3900000',
    ],
  },
  {
    file: 'libvendor.so',
    state: 'absent',
    quality: 'none',
    self: 0.026,
    total: 0.031,
    unsymbolized: { 'no debug information': 0.026 },
    problem: 'No agent could send its symbols: the file on the host is stripped.',
    remedy:
      'Upload the unstripped library with everflame debuginfo upload, or name the vendor’s debuginfod server with --debuginfod-urls.',
    retry_ms: 6 * HOUR_MS,
  },
  {
    file: 'libssl.so.3',
    state: 'ready',
    quality: 'exported',
    self: 0.014,
    total: 0.02,
    functions: 1_204,
    symbol_file_bytes: 74_000,
    unsymbolized: { 'not covered': 0.003 },
    sources: ['executable upload web-17.shop.example 1100000'],
    problem: 'The library is stripped: only exported functions have names.',
    remedy: 'Install its debug package where this server runs, or upload its debug file.',
  },
  {
    file: 'fraud-model',
    state: 'failed',
    quality: 'none',
    self: 0.011,
    total: 0.011,
    unsymbolized: { 'conversion failed': 0.011 },
    sources: ['debuginfo upload ml-3 1900000000'],
    problem: 'Converting took longer than 120 s and was stopped (MAX_CONVERSION_MS).',
    remedy: 'Upload a file with .debug_info only, or raise --debuginfo-deadline.',
    retry_ms: HOUR_MS,
  },
  {
    file: 'node',
    state: 'converting',
    quality: 'symbols',
    self: 0.18,
    total: 0.235,
    functions: 96_000,
    symbol_file_bytes: 9e6,
    unsymbolized: { 'not covered': 0.0007 },
    sources: ['executable debuginfod https://debuginfod.debian.net 98000000'],
  },
  {
    file: 'libprotobuf.so.32',
    state: 'receiving',
    quality: 'none',
    self: 0.021,
    total: 0.024,
    unsymbolized: { 'no debug information': 0.021 },
  },
  {
    ...READY,
    file: 'libc.so.6',
    quality: 'symbols',
    self: 0.091,
    total: 0.6,
    functions: 9_811,
    symbol_file_bytes: 410_000,
    sources: ['debuginfo local /usr/lib/debug/.build-id/9f/12.debug 4200000'],
  },
  { file: 'gone-with-the-release', state: 'ready', quality: 'lines', functions: 12, sources: [] },
  { file: 'left-pad', state: 'absent', quality: 'none', self: 0.0004, total: 0.0004 },
  {
    file: 'legacy-report',
    build_id: '',
    state: 'absent',
    self: 0.002,
    total: 0.002,
    unsymbolized: { 'no build id': 0.002 },
    problem:
      'Its profiles have no build id, so its symbols cannot be told from those of another build.',
    remedy: 'Link it with `-Wl,--build-id`, or push profiles with build ids.',
  },
  {
    build_id: 'htl:5f0c9a7b11d2e3f4',
    file: 'gate',
    state: 'failed',
    problem: 'What was sent of it is damaged.',
  },
];

/** Forty digits that differ from binary to binary in the first as well. */
export const buildIdOf = (index: number) =>
  Array.from({ length: 5 }, (_, part) =>
    ((Math.imul(index + 1, 2_654_435_761) >>> part) >>> 0).toString(16).padStart(8, '0'),
  ).join('');

/** What the server knows, and does when asked. */
export class DebuginfoFixture {
  readonly #rows: DebuginfoRowJson[] = [];
  /** More binaries than are sketched. */
  more = 0;
  /** Each `METHOD build_id` so far. */
  readonly commands: string[] = [];
  refuse = false;

  answer(range: { fromMs: number; toMs: number }, type: string, total: number): DebuginfoJson {
    if (this.#rows.length === 0) this.#rows.push(...this.#draw(total, range.toMs));
    return {
      debuginfo: this.#rows,
      omitted: 0,
      bytes_on_disk: 2.31e9,
      max_bytes: 10e9,
      local_paths: ['/usr/lib/debug', '/srv/symbols'],
      debuginfod_urls: ['https://debuginfod.debian.net'],
      type,
      unit: 'nanoseconds',
      from_ms: range.fromMs,
      to_ms: range.toMs,
      total,
    };
  }

  buildId(file: string): string {
    return this.#rows.find((row) => row.file === file)?.build_id ?? '';
  }

  /** Returns the status that the server answers with. */
  command(method: string, path: string): number {
    const buildId = decodeURIComponent(path.split('/')[1] ?? '');
    this.commands.push(`${method} ${buildId}`);
    const row = this.#rows.find(({ build_id }) => build_id === buildId);
    if (row === undefined) return 404;
    if (this.refuse) return 403;
    if (method === 'POST') row.state = 'converting';
    else {
      Object.assign(row, { state: 'absent', quality: 'none', sources: [], functions: 0 });
      row.symbol_file_bytes = 0;
      row.problem = 'Its symbols were deleted.';
    }
    return 204;
  }

  #draw(whole: number, nowMs: number): DebuginfoRowJson[] {
    const more = Array.from({ length: this.more }, (_, index): Sketch => {
      const self = 0.02 / (index + 2) ** 2;
      const problem = '2 units keep their functions in .dwo files that are not here.';
      const file = `service-${index}`;
      return { ...READY, file, self, total: self * 2, functions: 5000 - index, problem };
    });
    return [...SKETCHES, ...more].map((sketch, index) => rowOf(sketch, index, whole, nowMs));
  }
}

function rowOf(sketch: Sketch, index: number, whole: number, nowMs: number): DebuginfoRowJson {
  const { sources = [], unsymbolized = {}, self = 0, total = 0, retry_ms = null } = sketch;
  return {
    build_id: buildIdOf(index),
    quality: 'none',
    state: 'ready',
    symbol_file_bytes: 0,
    functions: 0,
    inlined_calls: 0,
    left_out: {},
    problem: '',
    remedy: '',
    ...sketch,
    sources: sources.map((text) => {
      const [kind, origin, from = '', bytes] = text.split(' ');
      const name = from.slice(from.lastIndexOf('/') + 1);
      const sent = kind === 'debuginfo' ? `${sketch.file}.debug` : sketch.file;
      const file = origin === 'local' ? name : sent;
      return { kind, file, origin, from, size_bytes: Number(bytes), received_ms: nowMs - HOUR_MS };
    }) as DebuginfoRowJson['sources'],
    self: self * whole,
    total: total * whole,
    unsymbolized: Object.fromEntries(
      Object.entries(unsymbolized).map(([reason, weight]) => [reason, weight * whole]),
    ),
    retry_ms: retry_ms === null ? null : nowMs + retry_ms,
  };
}
