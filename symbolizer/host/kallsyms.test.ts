import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { type Kallsyms, parseKallsyms } from './kallsyms.ts';

const TEXT = `0000000000000000 A __per_cpu_start
ffffffff81000000 T _stext
ffffffff81000000 T startup_64
ffffffff81000100 t helper
ffffffff81000100 W helper_weak
ffffffff81000200 D some_data
ffffffffc0000010 t mod_b\t[zfs]
ffffffffc0000000 t mod_a\t[zfs]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_sd_devices\t[bpf]
ffffffffc0400000 t ftrace_trampoline\t[__builtin__ftrace]
`;

function name(symbols: Kallsyms, address: bigint): string {
  const found = symbols.lookup(Number(address >> 32n), Number(address & 0xffffffffn));
  return found === null ? '-' : `${found.name} ${found.mapping}`;
}

describe('look-ups', () => {
  const symbols = parseKallsyms(Buffer.from(TEXT));
  test.each([
    ['below everything', 0xffffffff80ffffffn, '-'],
    ['fewer underscores win', 0xffffffff81000000n, 'startup_64 [kernel]'],
    ['inside', 0xffffffff810000ffn, 'startup_64 [kernel]'],
    ['weak beats local', 0xffffffff81000100n, 'helper_weak [kernel]'],
    ['data is no code', 0xffffffff81000200n, '-'],
    ['modules are sorted in', 0xffffffffc000000fn, 'mod_a [kernel:zfs]'],
    ['the last of a module', 0xffffffffc0000010n, 'mod_b [kernel:zfs]'],
    ['too far behind a module', 0xffffffffc0200000n, '-'],
    ['BPF', 0xffffffffc0300004n, 'bpf_prog_6deef7357e7b4530_sd_devices [bpf]'],
    ['trampolines are the kernel', 0xffffffffc0400004n, 'ftrace_trampoline [kernel]'],
    ['user space', 0x0000000000401000n, '-'],
  ])('%s', (_, address, expected) => {
    expect(name(symbols, address)).toBe(expected);
  });
  test('not restricted', () => expect(symbols.restricted).toBe(false));
});

test('addresses that read as zero are told', () => {
  const symbols = parseKallsyms(Buffer.from(TEXT.replace(/^[0-9a-f]{16}/gm, '0'.repeat(16))));
  expect([symbols.restricted, symbols.count]).toEqual([true, 0]);
});

test('an empty or broken text has no symbols', () => {
  expect(parseKallsyms(Buffer.from('')).count).toBe(0);
  expect(parseKallsyms(Buffer.from('zzz\nffffffff81000000\n\n')).count).toBe(0);
});

/** Every address must give one of the names that the kernel lists for it, and whose it is. */
test("this kernel's own symbols", () => {
  const text = readFileSync('/proc/kallsyms', 'utf8');
  const symbols = parseKallsyms(Buffer.from(text));
  if (symbols.restricted) return; // Without CAP_SYSLOG there is nothing to compare with.
  const names = new Map<bigint, Set<string>>();
  for (const line of text.split('\n')) {
    const [address = '', type = '', symbol = '', module = ''] = line.split(/[ \t]/);
    if (!/[tTwW]/.test(type) || !address.startsWith('ffff')) continue;
    const key = BigInt(`0x${address}`);
    const owner = module === '[bpf]' ? module : `[kernel:${module.slice(1, -1)}]`;
    const mapping = module === '' || module.startsWith('[__builtin__') ? '[kernel]' : owner;
    names.set(key, (names.get(key) ?? new Set()).add(`${symbol} ${mapping}`));
  }
  let wrong = 0;
  for (const [address, expected] of names) {
    const found = symbols.lookup(Number(address >> 32n), Number(address & 0xffffffffn));
    if (found === null || !expected.has(`${found.name} ${found.mapping}`)) wrong++;
  }
  expect(names.size).toBeGreaterThan(10_000);
  expect(wrong).toBe(0);
});
