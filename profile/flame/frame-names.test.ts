import { describe, expect, test } from 'vitest';
import { fitFullName, fitName, labelOf, packageOf, shortenName } from './frame-names.ts';

describe('shortenName', () => {
  test.each([
    ['github.com/go-chi/chi/v5.(*Mux).routeHTTP', 'chi.(*Mux).routeHTTP'],
    ['runtime.mallocgc', 'runtime.mallocgc'],
    ['encoding/json.appendString[...]', 'json.appendString[...]'],
    ['slices.Sort[go.shape.[]string,go.shape.string]', 'slices.Sort[…]'],
    ['a.com/b/c.(*T[go.shape.int]).F', 'c.(*T[…]).F'],
    ['std::vector<int, std::allocator<int>>::push_back(int&&)', 'std::vector<…>::push_back'],
    ['a::Engine::Evaluate(a::Cart const&, a::Context&) const', 'a::Engine::Evaluate'],
    ['v8::(anonymous namespace)::Run(int)', 'v8::Run'],
    ['a::operator<<(a::Out&, int)', 'a::operator<<'],
    ['a::F::operator()(int) const', 'a::F::operator()'],
    ['void std::sort<int*>(int*, int*)', 'std::sort<…>'],
    ['f() [clone .isra.0] [clone .cold]', 'f'],
    ['virtual thunk to a::B::f()', 'virtual thunk to a::B::f'],
    ['<alloc::vec::Vec<T> as Drop>::drop::h0123456789abcdef', '<Vec<…> as Drop>::drop'],
    ['<a::b::State>::print::<a::Item>', 'State::print::<…>'],
    ['<&a::b::C as core::fmt::Debug>::fmt', '<&C as Debug>::fmt'],
    ['<[u8]>::contains', '<[u8]>::contains'],
    [
      '<fn(a::B) -> a::C as a::T>::call::{shim:vtable#0}',
      '<fn(B) -> C as T>::call::{shim:vtable#0}',
    ],
    ['a::main::{closure#2}', 'a::main::{closure#2}'],
    ['LazyCompile:*fib /srv/app/fib.js:3:13', 'fib'],
    ['JS:~ file:///srv/app/fib.js:3:13', '(anonymous) fib.js:3'],
    ['processTicksAndRejections node:internal/process/task_queues', 'processTicksAndRejections'],
    ['main(int, char**)', 'main'],
    ['do_syscall_64', 'do_syscall_64'],
    ['libvendor.so+0x4f1a20', 'libvendor.so+0x4f1a20'],
    ['[unknown: no mapping]', '[unknown: no mapping]'],
    ['', ''],
  ])('%s -> %s', (name, short) => expect(shortenName(name)).toBe(short));
});

describe('fitName', () => {
  test.each([
    ['chi.(*Mux).routeHTTP', 20, 'chi.(*Mux).routeHTTP'],
    ['chi.(*Mux).routeHTTP', 12, '…routeHTTP'],
    ['http.serverHandler.ServeHTTP', 25, '…serverHandler.ServeHTTP'],
    ['entry_SYSCALL_64_after_hwframe', 10, 'entry_SYS…'],
    ['[unknown: process exited]', 12, '[unknown: p…'],
    ['main', 2, ''],
  ])('%s in %i -> %s', (name, max, text) => expect(fitName(name, max)).toBe(text));

  test('never longer than its place', () => {
    const name = 'google::protobuf::internal::TcParser::ParseLoop';
    for (let max = 0; max < 60; max++) expect(fitName(name, max).length).toBeLessThanOrEqual(max);
  });
});

test.each([
  ['acme::Engine::Run(acme::Cart const&) const', 60, 'acme::Engine::Run(acme::Cart const&) const'],
  ['acme::Engine::Run(acme::Cart const&) const', 38, '…Engine::Run(acme::Cart const&) const'],
  ['acme::Engine::Run(acme::Cart const&) const', 20, '…Run(acme::Cart con…'],
  ['github.com/acme/cart.(*Rules).Match', 24, '…cart.(*Rules).Match'],
  ['github.com/acme/cart.(*Rules).Match', 18, '…(*Rules).Match'],
  ['<acme::Rule as core::fmt::Debug>::fmt', 12, '<acme::Rule…'],
  ['_ZN4acme6Engine3RunEv.cold', 12, '_ZN4acme6En…'],
  ['std::vector<a::B>::at', 12, '…vector<a::…'],
  ['do_syscall_64', 8, 'do_sysc…'],
  ['main', 2, ''],
])('fitFullName %s, %i is %s', (name, max, text) => {
  expect(fitFullName(name, max)).toBe(text);
  expect(text.length).toBeLessThanOrEqual(max);
});

test.each([
  ['github.com/acme/cart.(*Rules).Match', 'github.com/acme/cart'],
  ['acme::Engine::Run(int)', 'acme'],
  ['void acme::Print<int>(int)', 'acme'],
  ['<&acme::Rule as core::fmt::Debug>::fmt', 'acme'],
  ['lookup /srv/node_modules/@a/b/c.js', 'node_modules/@a/b'],
  ['main', ''],
])('packageOf %s is %s', (name, expected) => expect(packageOf(name)).toBe(expected));

test.each([
  ['github.com/acme/shop.(*Cart).Total', 20, 'shop.(*Cart).Total'],
  ['github.com/acme/shop.(*Cart).Total', 15, '…(*Cart).Total'],
  ['main', 2, ''],
])('%s in %i characters', (name, max, label) => {
  expect(labelOf(name, max)).toBe(label);
});

test('a hostile name takes no time', () => {
  expect(labelOf('<'.repeat(65_536), 20)).toHaveLength(20);
});
