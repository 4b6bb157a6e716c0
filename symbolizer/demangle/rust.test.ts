import { describe, expect, test } from 'vitest';
import { demangle } from './demangle.ts';

describe('legacy names', () => {
  test.each([
    ['_ZN4core3fmt5write17h0123456789abcdefE', 'core::fmt::write'],
    [
      '_ZN50_$LT$T$u20$as$u20$core..convert..Into$LT$U$GT$$GT$4into17h0123456789abcdefE',
      '<T as core::convert::Into<U>>::into',
    ],
    [
      '_ZN5alloc7raw_vec19RawVec$LT$T$C$A$GT$4grow17h0123456789abcdefE',
      'alloc::raw_vec::RawVec<T,A>::grow',
    ],
    [
      '_ZN5hello13gr$uf6$$udf$e52na$uef$ve_$u444$$u443$$u43d$$u43a$$u446$$u438$$u44f$17hefa59e1798c8d0dfE',
      'hello::größe::naïve_функция',
    ],
    ['_ZN1a1b17h0123456789abcdefE.llvm.1234', 'a::b'],
    ['_ZN1a1b17h0123456789abcdefE.llvm.1234.cold', 'a::b.cold'],
    // Too few digits that differ for a hash, so it is C++.
    ['_ZN1a17h0101010101010101E', 'a::h0101010101010101'],
    ['_ZN1aIiE17h0123456789abcdefE', 'a<int>::h0123456789abcdef'],
  ])('%s', (mangled, text) => expect(demangle(mangled)).toBe(text));
});

describe('v0 names', () => {
  test.each([
    ['_RNvCs1_5hello4main', 'hello::main'],
    ['_RNvNtCs1_5hello1a1f.llvm.12', 'hello::a::f'],
    ['_RNvCs1_5hello1f.cold', 'hello::f.cold'],
    ['_RNCNvCs1_5hello4main0', 'hello::main::{closure#0}'],
    ['_RNCNvCs1_5hello4mains0_0', 'hello::main::{closure#2}'],
    ['_RNSNvCs1_5hello1f6vtable', 'hello::f::{shim:vtable#0}'],
    ['_RNvMCs1_5helloNtB2_1A3new', '<hello::A>::new'],
    ['_RNvXCs1_5helloNtB2_1ANtB2_1T1f', '<hello::A as hello::T>::f'],
    ['_RINvCs1_5hello1fmReEB2_', 'hello::f::<u32, &str>'],
    ['_RINvCs1_5hello1fTmETmhEuEB2_', 'hello::f::<(u32,), (u32, u8), ()>'],
    [
      '_RINvCs1_5hello1fAhj3_ShQhPhOhEB2_',
      'hello::f::<[u8; 3], [u8], &mut u8, *const u8, *mut u8>',
    ],
    ['_RINvCs1_5hello1fFUKCPhEaEB2_', 'hello::f::<unsafe extern "C" fn(*const u8) -> i8>'],
    ['_RINvCs1_5hello1fFG_RL0_eEBh_EB2_', "hello::f::<for<'a> fn(&'a str) -> &'a str>"],
    [
      '_RINvCs1_5hello1fDG_INtB2_2FnTRL0_eEEp6OutputmNtB2_4SendEL_EB2_',
      "hello::f::<dyn for<'a> hello::Fn<(&'a str,), Output = u32> + hello::Send>",
    ],
    ['_RINvCs1_5hello1fKb1_Kan5_Kce9_Kj0_EB2_', "hello::f::<true, -5, 'é', 0>"],
    [
      '_RINvCs1_5hello1fKoffffffffffffffffffffffffffffffff_EB2_',
      'hello::f::<0xffffffffffffffffffffffffffffffff>',
    ],
    ['_RINvCs1_5hello1fKRe616263_KTm1_m2_EEB2_', 'hello::f::<{"abc"}, {(1, 2)}>'],
    ['_RINvCs1_5hello1fKVNtB2_1SS1am1_EEB2_', 'hello::f::<{hello::S { a: 1 }}>'],
    [
      '_RNvNtCs1AdN8cFC2m1_5hellou9gre_6ka8iu24nave__dta400dpa0a3dk1a2j',
      'hello::größe::naïve_функция',
    ],
  ])('%s', (mangled, text) => expect(demangle(mangled)).toBe(text));

  test.each([
    ...['_R', '_RNv', '_R1C1a', '_RNvCs1_5hello', '_RNvCs1_5hello4main!', '_RNvB_4main'],
    ...['_RINvCs1_5hello1fRL0_eEB2_', '_RINvCs1_5hello1fKb2_EB2_', '_RNvCs1_5hellou3_zz'],
    ...['_RNvCs123456789abc_5hello4main'],
  ])('%s is none', (name) => expect(demangle(name)).toBe(name));

  test.each([
    ['references that double', `_RIC1a${'TuuE'}${'TB4_B4_E'.repeat(3_000)}E`],
    ['nested types', `_RIC1a${'R'.repeat(30_000)}uE`],
    ['a million lifetimes', '_RIC1aFGzzzz_EuE'],
    ['letters that move', `_RNvC1au20000_${'z'.repeat(20_000)}`],
  ])('hostile: %s', (_, name) => expect(demangle(name).length).toBeLessThan(65_537));
});
