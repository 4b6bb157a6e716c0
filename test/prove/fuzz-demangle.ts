/**
 * Hostile mangled names: real ones cut, spliced, repeated and altered, and soup of the grammars'
 * pieces. None may throw, take a second of CPU time, or grow memory by more than 256 MB; what comes
 * out is the name itself or a bounded text.
 */
import fc from 'fast-check';
import { assert } from '../../profile/errors.ts';
import { MAX_DEMANGLED_LENGTH } from '../../profile/limits.ts';
import { demangle } from '../../symbolizer/demangle/demangle.ts';

const MAX_RUN_MS = 1_000;
const MAX_GROWTH_BYTES = 256 * 2 ** 20;
const PROGRESS_EVERY = 10_000;

const NAMES = [
  '_ZNSt6vectorIiSaIiEE17_M_realloc_insertIJRKiEEEvN9__gnu_cxx17__normal_iteratorIPiS1_EEDpOT_',
  '_ZZ3foovENKUlT_DpOT0_E_clIiJcdEEEDaS_S2_',
  '_ZZ3foovENKUlTyTniTtTyETpTyT_T1_DpT3_E_clIiLi3E1AJcdEEEvvv',
  '_Z1fIiEDTcmcmplcvT_Li5Edefp_quLb1Efp_Lj3EixcldtfpT5beginEtlS0_Li1EES0_',
  '_Z1fIJiicEEDTclsr3stdE7forwardIT_Espfp_fLplfp_Li0EsZT_EEPFRA5_KS0_DpOT_E',
  '_ZNK1AcvPT_IiEEv',
  '_ZTv0_n24_NSt10ostrstreamD1Ev',
  '_ZGVZN12_GLOBAL__N_13fooB5cxx11EvE1x_0',
  '_ZN1AC1I1BEET_.isra.0.cold@@V_1.2',
  '_ZW3foo3barM1AKDoFviRES_U3vecIiEDv4_f',
  '_GLOBAL__sub_I__ZN1A1bE',
  '_ZN4core3fmt9Formatter9write_fmt17h0123456789abcdefE.llvm.123',
  '_RINvCs1AdN8cFC2m1_5hello5applyDG_INtNtNtCsgEmfK2I1SDS_4core3ops8function5FnMutTmRL0_eEEp6OutputmEL_EB2_',
  '_RINvCs1AdN8cFC2m1_5hello5konstKb1_Kce9_Kan5_KRe616263_KTm1_m2_EKVNtB2_1SS1am1_EEB2_',
  '_RNvXs_Cs1_5helloNtB4_1AFG0_UKCRL0_hPmOnTEEuNtB4_1B3fooNCNvB4_u9_nave_mha0s_0',
];
const PIECES = [
  ...[
    '_Z',
    '_R',
    '_ZN',
    '_GLOBAL__I_',
    'N',
    'E',
    'I',
    'J',
    'X',
    'Z',
    'L',
    'S_',
    'S0_',
    'S1_',
    'St',
  ],
  ...[
    'Ss',
    'T_',
    'T0_',
    'Dp',
    'DT',
    'Dv',
    'DO',
    'Do',
    'F',
    'P',
    'R',
    'O',
    'K',
    'M',
    'A5_',
    'A_',
    'C',
  ],
  ...[
    'U',
    'Ul',
    'Ut',
    'UlvE_',
    'C1',
    'D2',
    'CI2',
    'B',
    'W',
    'Q',
    'H',
    'cv',
    'cl',
    'pl',
    'gt',
    'sp',
  ],
  ...[
    'sZ',
    'sP',
    'sr',
    'srN',
    'fp_',
    'fL0p_',
    'fl',
    'fR',
    'nw',
    'tl',
    'il',
    'di',
    'qu',
    'on',
    'dn',
  ],
  ...[
    '1A',
    '3foo',
    '0',
    '9999999999',
    'v',
    'i',
    'c',
    'z',
    '_',
    '.',
    '.isra.0',
    '@V',
    'TV',
    'GR',
    'Tc',
  ],
  ...[
    'Nv',
    'Nt',
    'NC',
    'Cs_',
    'B_',
    'B0_',
    'Y',
    'D',
    'G_',
    'G9zz_',
    'p',
    'K',
    'j1_',
    'e6162_',
    'u3',
  ],
  ...['$LT$', '$u41$', '..', '17h0123456789abcdefE', 'é', '\u{1f525}', '\ud800', '\0'],
];

const piece = fc.constantFrom(...PIECES);
const name = fc.constantFrom(...NAMES);
const place = fc.double({ min: 0, max: 1, noNaN: true });
const edit = fc.oneof(
  fc.record({ kind: fc.constant('put' as const), at: place, text: piece, over: fc.nat(3) }),
  fc.record({ kind: fc.constant('copy' as const), at: place, from: place, size: fc.nat(20) }),
  fc.record({ kind: fc.constant('cut' as const), at: place, size: fc.nat(6) }),
  fc.record({ kind: fc.constant('end' as const), at: place, tail: name, from: place }),
);
type Edit = typeof edit extends fc.Arbitrary<infer T> ? T : never;

const mutated = fc
  .tuple(name, fc.array(edit, { minLength: 1, maxLength: 4 }))
  .map(([text, edits]) => edits.reduce(applyEdit, text));
const soup = fc
  .tuple(fc.constantFrom('_Z', '_ZN', '_Z1f', '_Z1fI', '_R', '_RNv', '_RI'), fc.array(piece))
  .map(([prefix, pieces]) => prefix + pieces.join(''));
const repeated = fc
  .tuple(name, fc.array(piece, { minLength: 1, maxLength: 3 }), fc.integer({ min: 1, max: 8_000 }))
  .map(([text, pieces, times]) => text.slice(0, 4) + pieces.join('').repeat(times) + text);
const hostile = fc.oneof(
  { weight: 12, arbitrary: mutated },
  { weight: 8, arbitrary: soup },
  { weight: 1, arbitrary: repeated },
);

/** Returns one line of summary. Throws on the first name that breaks a promise. */
export async function fuzzDemangle(options: {
  seed: number;
  runs: number;
  log: (line: string) => void;
}): Promise<string> {
  const rssAtStart = process.memoryUsage.rss();
  const totals = { runs: 0, demangled: 0, slowestMs: 0, growth: 0 };
  fc.assert(
    fc.property(hostile, (text) => {
      const started = process.cpuUsage();
      if (tryOne(text)) totals.demangled++;
      const { user, system } = process.cpuUsage(started);
      const tookMs = (user + system) / 1000;
      totals.slowestMs = Math.max(totals.slowestMs, tookMs);
      assert(tookMs < MAX_RUN_MS, `${JSON.stringify(text)} took ${tookMs} ms`);
      totals.growth = Math.max(totals.growth, process.memoryUsage.rss() - rssAtStart);
      assert(totals.growth < MAX_GROWTH_BYTES, `memory grew by ${totals.growth} bytes`);
      if (++totals.runs % PROGRESS_EVERY === 0) {
        options.log(`${totals.runs} names, ${totals.demangled} demangled`);
      }
    }),
    { seed: options.seed, numRuns: options.runs, endOnFailure: true },
  );
  return (
    `${totals.runs} names, ${totals.demangled} demangled, ` +
    `slowest ${totals.slowestMs.toFixed(0)} ms, ` +
    `memory grew by ${(totals.growth / 2 ** 20).toFixed(0)} MB`
  );
}

/** True if the name was one. */
function tryOne(text: string): boolean {
  const shown = demangle(text);
  const fits = shown === text || shown.length <= MAX_DEMANGLED_LENGTH;
  assert(fits, `${JSON.stringify(text)} grew too long`);
  return shown !== text;
}

function applyEdit(text: string, change: Edit): string {
  const at = Math.floor(change.at * text.length);
  switch (change.kind) {
    case 'put':
      return text.slice(0, at) + change.text + text.slice(at + change.over);
    case 'copy': {
      const from = Math.floor(change.from * text.length);
      return text.slice(0, at) + text.slice(from, from + change.size) + text.slice(at);
    }
    case 'cut':
      return text.slice(0, at) + text.slice(at + change.size);
    case 'end':
      return text.slice(0, at) + change.tail.slice(Math.floor(change.from * change.tail.length));
  }
}
