import { expect, test } from 'vitest';
import { type Frame, NamedFrames } from './frames.ts';
import { KernelFrames } from './kernel-frames.ts';

const TEXT = `ffffffff81000000 T schedule
ffffffff81000100 T do_syscall_64
ffffffffc0000000 t zfs_read\t[zfs]
ffffffffc0300000 t bpf_prog_6deef7357e7b4530_sd_devices\t[bpf]
`;
const RELOAD_MS = 60_000;

function draw(frames: readonly Frame[]): string {
  return frames.map(({ mapping, name }) => `${mapping.file}!${name}`).join(' ');
}

function kernelOf(text: () => string, now: () => number = () => 0): KernelFrames {
  return new KernelFrames(new NamedFrames(), () => Buffer.from(text()), now);
}

test.each([
  ['the leaf is where it is', [0xffffffff81000100n], '[kernel]!do_syscall_64'],
  ['a caller is before its return address', [0x1n, 0xffffffff81000100n], '[kernel]!schedule'],
  ['a module', [0xffffffffc0000004n], '[kernel:zfs]!zfs_read'],
  ['a BPF program', [0xffffffffc0300010n], '[bpf]!bpf_prog_6deef7357e7b4530_sd_devices'],
  ['nothing known', [0xffffffff90000000n], '[kernel]![unknown: no kernel symbol]'],
])('%s', (_, stack, expected) => {
  const frames = kernelOf(() => TEXT).resolve(BigUint64Array.from(stack));
  expect(draw(frames.slice(-1))).toBe(expected);
});

test('what was loaded since is found a minute later', () => {
  let text = TEXT;
  let now = 0;
  const kernel = kernelOf(
    () => text,
    () => now,
  );
  const ask = () => draw(kernel.resolve(BigUint64Array.of(0xffffffffc0400000n)));
  text += 'ffffffffc0400000 t bpf_prog_1_late\t[bpf]\n';
  expect(ask()).toContain('no kernel symbol');
  now = RELOAD_MS;
  expect(ask()).toBe('[bpf]!bpf_prog_1_late');
});

test('hidden addresses are told', () => {
  const kernel = kernelOf(() => TEXT.replace(/^[0-9a-f]{16}/gm, '0'.repeat(16)));
  expect(kernel.hidden).toBe(true);
  const frames = kernel.resolve(BigUint64Array.of(0xffffffff81000000n));
  expect(draw(frames)).toBe('[kernel]![unknown: kernel addresses hidden]');
});
