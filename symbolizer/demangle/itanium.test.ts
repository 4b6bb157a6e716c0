import { describe, expect, test } from 'vitest';
import { MAX_DEMANGLED_LENGTH } from '../../profile/limits.ts';
import { demangle } from './demangle.ts';

function rows(table: string): [mangled: string, text: string][] {
  const lines = table.trim().split('\n');
  return lines.map((line) => {
    const [mangled = '', ...text] = line.trim().split(/\s+/);
    return [mangled, text.join(' ')];
  });
}

describe('names', () => {
  test.each(
    rows(`
      _Z1fv                          f()
      _ZL1fi                         f(int)
      _ZSt4sortv                     std::sort()
      _ZN1a1b1cEv                    a::b::c()
      _ZN1aC2Ev                      a::a()
      _ZN1aIiED0Ev                   a<int>::~a()
      _ZN1aC1I1bEET_                 a::a<b>(b)
      _ZN1aCI21bEi                   a::a(int)
      _ZNKR1a1fEv                    a::f() const &
      _ZNVO1a1fEv                    a::f() volatile &&
      _ZN12_GLOBAL__N_11fEv          (anonymous namespace)::f()
      _Z1fB5cxx11B1zi                f[abi:cxx11][abi:z](int)
      _ZW3fooW3barWP3baz1fv          f@foo.bar:baz()
      _ZDC1a1bE                      [a, b]
      _ZN1aFplES_S_                  a::friend operator+(a, a)
      _ZN1aUt0_1fEv                  a::{unnamed type#2}::f()
      _ZZ1fvE1x_0                    f()::x
      _ZZ1fIiEvT_ENKUlvE0_clEv       f<int>(int)::{lambda()#2}::operator()() const
      _ZZ1fvENUlvE_D2Ev              f()::{lambda()#1}::~{lambda()#1}()
      _ZZ1fvEd0_NKUlvE_clEv          f()::{default arg#2}::{lambda()#1}::operator()() const
      _ZZ1fvEs                       f()::string literal
      _ZNSs6appendEPKc               std::string::append(char const*)
      _ZNSsC1Ev                      std::basic_string<char, std::char_traits<char>, std::allocator<char> >::basic_string()
      _Z7größei                      größe(int)
      _Z1fv@@GLIBC_2.2.5             f()@@GLIBC_2.2.5
      _Z1fv.isra.0.cold              f() [clone .isra.0] [clone .cold]
      _ZZ1fvE1x.0                    f()::x [clone .0]
      _GLOBAL__sub_I__Z1fv           _GLOBAL__sub_I__Z1fv
      _GLOBAL__D__Z1fv               global destructors keyed to f()
    `),
  )('%s', (mangled, text) => expect(demangle(mangled)).toBe(text));

  test.each(
    rows(`
      _ZN1aplERKS_                   a::operator+(a const&)
      _ZN1ansBm                      _ZN1ansBm
      _ZN1anwEm                      a::operator new(unsigned long)
      _ZN1adaEPv                     a::operator delete[](void*)
      _ZN1aclEi                      a::operator()(int)
      _ZN1altIiEEvT_                 void a::operator< <int>(int)
      _ZN1alsIiEEvT_                 void a::operator<< <int>(int)
      _ZN1assERKS_                   a::operator<=>(a const&)
      _ZNK1acvbEv                    a::operator bool() const
      _ZNK1acvPT_IiEEv               a::operator int*<int>() const
      _ZN1aawEv                      a::operator co_await()
      _Zli3_kgy                      operator"" _kg(unsigned long long)
      _ZN1av03fooEv                  a::operator foo()
    `),
  )('operators: %s', (mangled, text) => expect(demangle(mangled)).toBe(text));

  test.each(
    rows(`
      _ZTV1a                         vtable for a
      _ZTIPFvvE                      typeinfo for void (*)()
      _ZTC1a8_1b                     construction vtable for b-in-a
      _ZThn8_N1a1fEv                 non-virtual thunk to a::f()
      _ZTv0_n24_N1a1fEv              virtual thunk to a::f()
      _ZTchn8_v0_n24_N1a1fEv         covariant return thunk to a::f()
      _ZGVZ1fvE1x                    guard variable for f()::x
      _ZGR1a0_                       reference temporary #1 for a
      _ZTW1a                         TLS wrapper function for a
      _ZTAXtl1aLi5EEE                template parameter object for a{5}
      _ZGTt1fv                       transaction clone for f()
      _ZGIW3foo                      initializer for module foo
    `),
  )('special: %s', (mangled, text) => expect(demangle(mangled)).toBe(text));
});

describe('types', () => {
  test.each(
    rows(`
      _Z1fz                          f(...)
      _Z1fDnDsDu                     f(decltype(nullptr), char16_t, char8_t)
      _Z1fDF16_DF16bDB5_             f(_Float16, std::bfloat16_t, _BitInt(5))
      _Z1fPVKi                       f(int const volatile*)
      _Z1fPrPi                       f(int* restrict*)
      _Z1frPi                        f(int* restrict)
      _Z1fPFvPFicEE                  f(void (*)(int (*)(char)))
      _Z1fPFPFvvEiE                  f(void (*(*)(int))())
      _Z1fRA5_A6_KcPA_i              f(char const (&) [5][6], int (*) [])
      _Z1fPFRA5_ivE                  f(int (& (*)()) [5])
      _Z1fM1aKFvvE                   f(void (a::*)() const)
      _Z1fM1aKDoFviRE                f(void (a::*)(int) noexcept const &)
      _Z1fM1aA5_i                    f(int (a::*) [5])
      _Z1fDv4_fCd                    f(float __vector(4), double _Complex)
      _Z1fU8__vectoriu3foo           f(int __vector, foo)
      _Z1fP1aS0_S_                   f(a*, a*, a)
      _Z1fSt6vectorIiSaIiEES1_       f(std::vector<int, std::allocator<int> >, std::vector<int, std::allocator<int> >)
      _Z1fIRiEvOT_                   void f<int&>(int&)
      _Z1fIOiEvRT_                   void f<int&&>(int&)
      _Z1fIKiEvRKT_                  void f<int const>(int const&)
      _Z1fIPFvvEET_v                 void (*f<void (*)()>())()
    `),
  )('%s', (mangled, text) => expect(demangle(mangled)).toBe(text));
});

describe('templates', () => {
  test.each(
    rows(`
      _Z1fIiET_v                     int f<int>()
      _Z1fIJEEvDpT_                  void f<>()
      _Z1fIJiRcEEvDpOT_              void f<int, char&>(int&&, char&)
      _Z1fIiJEcEvv                   void f<int, char>()
      _ZN1aI1bI1cEE1fEv              a<b<c> >::f()
      _Z1fITtTyE1aEvv                void f<a>()
      _ZZ1fvENKUlT_DpOT0_E_clIiJcEEEDaS_S2_   auto f()::{lambda(auto:1, (auto:2&&)...)#1}::operator()<int, char>(int, char&&) const
      _ZZ1fvENKUlTyTniT_E_clIcLi3EEEDaS_      auto f()::{lambda<typename $T0, int $N1>($T0)#1}::operator()<char, 3>(char) const
      _ZZ1fvENKUlTpTyDpT_E_clIJcEEEDaS_       auto f()::{lambda<typename... $T0>(($T0)...)#1}::operator()<char>(char) const
      _Z1fILj5ELc65ELb1ELln5ELy0EEvv          void f<5u, (char)65, true, -5l, 0ull>()
      _Z1fIL1a3ELf3f800000ELDnEEEvv           _Z1fIL1a3ELf3f800000ELDnEEEvv
      _Z1fIL1a3ELf3f800000ELDn0EEvv           void f<(a)3, (float)[3f800000], (decltype(nullptr))0>()
      _Z1fIXadL_ZN1a1fEvEEEvv                 void f<&a::f>()
      _Z1fIXadL_Z1giEEEvv                     void f<&(g(int))>()
    `),
  )('%s', (mangled, text) => expect(demangle(mangled)).toBe(text));

  test('a parameter stands for the argument of the function that it is written in', () => {
    const lambda = 'f<int>(int)::{lambda()#1}';
    expect(demangle('_Z1gIZ1fIiEvT_EUlvE_EvS2_')).toBe(`void g<${lambda}>(${lambda})`);
  });
});

describe('expressions', () => {
  test.each(
    rows(`
      plfp_Li5E                      {parm#1}+(5)
      gtLi1ELi2E                     ((1)>(2))
      ntLb1E                         !(true)
      pp_fp_                         ++{parm#1}
      ppfp0_                         {parm#2}++
      quLb1ELi1ELi2E                 (true)?(1) : (2)
      ixfp_Li2E                      {parm#1}[2]
      cl1gfp_Li3EE                   g({parm#1}, 3)
      cl1gIT_Efp_E                   (g<int>)({parm#1})
      clonplfp_E                     (operator+)({parm#1})
      clsr3stdE7declvalIT_EE         (std::declval<int>)()
      cvT_fp_                        (int){parm#1}
      cvT__Li1ELi2EE                 (int)(1, 2)
      tlT_Li1EE                      int{1}
      tl1adi1xLi5EE                  a{.x=(5)}
      scT_fp_                        static_cast<int>({parm#1})
      nw_T_piLi1EE                   new int(1)
      dtfp_1x                        {parm#1}.x
      ptfp_1x                        {parm#1}->x
      stT_                           sizeof (int)
      szfp_                          sizeof {parm#1}
      tiT_                           typeid (int)
      tr                             throw
      fpT                            this
      gs1x                           ::x
      srT_1x                         int::x
      srT_1xIcE                      int::x<char>
      dtfp_dn1a                      {parm#1}.~a
    `),
  )('%s', (mangled, text) => {
    expect(demangle(`_Z1fIiEDT${mangled}ET_`)).toBe(`decltype (${text}) f<int>(int)`);
  });

  test.each(
    rows(`
      flplfp_                        ((...+{parm#1}))
      frplfp_                        (({parm#1}+...))
      fLplfp_Li0E                    (({parm#1}+...+(0)))
      sZT_                           (2)
      cl1gspclsr1s1fIT_Efp_EE        (g((s::f<int>)({parm#1}), (s::f<char>)({parm#1})))
    `),
  )('with packs: %s', (mangled, text) => {
    expect(demangle(`_Z1fIJicEEDT${mangled}Ev`)).toBe(`decltype ${text} f<int, char>()`);
  });
});

describe('what is no name stays as it is', () => {
  test.each([
    ...['', 'main', '_Z', '_ZN', '_Zzz', '_Z1', '_Z2f', '_Z1f!', '_ZN1aE!', '_Z1fS_', '_Z1fT_'],
    ...['_Z1fIiEvT0_', '_Z99999999999f', '_Z1fv.', '_Z1fv.Abc', 'Z1fv', ' _Z1fv', 'std::sort()'],
  ])('%s', (name) => expect(demangle(name)).toBe(name));
});

describe('hostile names are given up', () => {
  const chain = (length: number, link: (ref: string) => string): string =>
    Array.from({ length }, (_, row) => link(`S${row.toString(36).toUpperCase()}_`)).join('');

  test('a text that doubles with each part', () => {
    const doubled = (times: number): string =>
      `_Z1f1aIiE${chain(times, (ref) => `S_I${ref}${ref}E`)}`;
    expect(demangle(doubled(2))).toBe(
      'f(a<int>, a<a<int>, a<int> >, a<a<a<int>, a<int> >, a<a<int>, a<int> > >)',
    );
    expect(demangle(doubled(12)).length).toBeLessThanOrEqual(MAX_DEMANGLED_LENGTH);
    expect(demangle(doubled(60))).toBe(doubled(60));
  });

  test.each([
    ['pointers', `_Z1f${'P'.repeat(30_000)}i`],
    ['nested names', `_Z${'N'.repeat(30_000)}`],
    ['local names', `_Z${'Z'.repeat(30_000)}`],
    ['friends', `_Z${'F'.repeat(30_000)}`],
    ['exceptions', `_Z1fP${'Do'.repeat(10_000)}FvvE`],
    ['packs of packs', `_ZZ1fvENKUl${'Tp'.repeat(10_000)}`],
    ['expansions', `_Z1fIJ${'i'.repeat(300)}EEv${'DpPFvDpPFvDpPFvDpRT_EEE'.repeat(9)}`],
    ['types that are only read', `_ZN1aCI2F${chain(6_000, (ref) => `P${ref}`)}`],
    ['letters', `_Z1f${'i'.repeat(100_000)}`],
  ])('%s', (_, name) => expect(demangle(name)).toBe(name));
});
