import { Profile } from 'pprof-format';
import { expect, test } from 'vitest';
import { unaccounted } from '../profile/window-counters.ts';
import { Binaries } from './binaries.ts';
import { NamedFrames } from './frames.ts';
import { KernelFrames } from './kernel-frames.ts';
import { ProcessTable } from './process-table.ts';
import { Reason, type Sample, STACK_FAILED, STACK_NONE } from './sample-record.ts';
import type { RestedWindow } from './sampler.ts';
import { SeriesLimit } from './series-labels.ts';
import { StackSums } from './stack-sums.ts';
import { assembleWindow, type WindowSeries } from './window.ts';

const KALLSYMS = `\
ffffffff81000000 T _text
ffffffff81001000 T do_syscall_64
ffffffff81002000 T vfs_read
ffffffff81003000 T _etext
ffffffffc0000000 t tun_net_xmit\t[tun]
`;
const KERNEL_STACK = BigUint64Array.of(
  0xffffffffc0000010n,
  0xffffffff81002010n,
  0xffffffff81002000n,
);

/** Kernel threads and processes that are gone: nothing here depends on what runs on the machine. */
function makeTables(kallsyms = KALLSYMS, maxSeries = 100) {
  const frames = new NamedFrames();
  const kernel = new KernelFrames(frames, () => Buffer.from(kallsyms));
  const processes = new ProcessTable({ frames, binaries: new Binaries(), vdso: null });
  for (const [tgid, comm, kernelThread] of [
    [9_000_001, 'kworker/0:1', true],
    [9_000_002, 'cc1', false],
    [9_000_003, 'as', false],
  ] as const) {
    const record = { tgid, comm, kernelThread, startNs: 1n, image: 2n };
    processes.announce({ ...record, namespaceTgid: tgid, cgroupId: 1n });
  }
  return { frames, kernel, processes, limit: new SeriesLimit(maxSeries), host: 'h', ownLabels: {} };
}

function makeWindow(samples: Partial<Sample>[], lost = { ringFull: 0, read: 0 }): RestedWindow {
  const sums = new StackSums();
  for (const sample of samples) {
    sums.add({
      ...{ tgid: 9_000_001, startNs: 1n, image: 2n, cpu: 0, timeNs: 0n, tid: 1, side: 0 },
      ...{ kernelStack: STACK_NONE, userStack: STACK_NONE, reasons: 0 },
      ...{ kernelFrames: null, userFrames: null },
      ...sample,
    });
  }
  const sampled = samples.length + lost.ringFull + lost.read;
  return {
    sums,
    counters: { sampled, ringFull: lost.ringFull, processRingFull: 0 },
    lostRead: lost.read,
    readStack: (domain, stack) => (domain === 'kernel' && stack === 1 ? KERNEL_STACK : null),
  };
}

/** `service comm: count frame;frame;...` a row, leaf first. */
function draw(series: readonly WindowSeries[]): string[] {
  return series.flatMap(({ labels, profile }) => {
    const pprof = Profile.decode(profile.encode({ startMs: 1, lengthMs: 1, periodNs: 10 }));
    const text = (index: number | bigint) => pprof.stringTable.strings[Number(index)] ?? '';
    return pprof.sample.map((sample) => {
      const frames = sample.locationId.map((id) => {
        const location = pprof.location[Number(id) - 1]!;
        const mapping = pprof.mapping[Number(location.mappingId) - 1]!;
        const name = pprof.function[Number(location.line[0]?.functionId) - 1]!.name;
        expect(location.address).toBe(0);
        return `${text(mapping.filename)}${text(name)}`;
      });
      const [count, ns] = sample.value;
      expect(Number(ns)).toBe(10 * Number(count));
      return `${labels.service_name} ${labels.comm}: ${count} ${frames.join(';')}`;
    });
  });
}

test('kernel stacks have names; return addresses are those of their calls', () => {
  const window = makeWindow([{ kernelStack: 1 }, { kernelStack: 1 }]);
  const { series, counters } = assembleWindow(window, makeTables());
  expect(draw(series)).toEqual([
    'kernel kworker/0:1: 2 [kernel:tun]tun_net_xmit;[kernel]vfs_read;[kernel]do_syscall_64',
  ]);
  expect(counters).toMatchObject({ sampled: 2, sent: 2, excluded: 0 });
});

test('every gap is a frame and a counter, and nothing is lost silently', () => {
  const failed = { kernelStack: STACK_FAILED, reasons: Reason.kernelStackFailed };
  const noUser = { userStack: STACK_FAILED, reasons: Reason.userStackFailed };
  const window = makeWindow(
    [
      failed,
      { tgid: 9_000_002, userStack: 5 },
      { tgid: 9_000_002, userStack: 6 },
      { tgid: 9_000_002, kernelStack: 1, ...noUser },
      { tgid: 9_000_003, kernelStack: 2 },
      { tgid: 9_000_003 },
    ],
    { ringFull: 3, read: 1 },
  );
  const { series, counters } = assembleWindow(window, makeTables());
  const kernel = '[kernel:tun]tun_net_xmit;[kernel]vfs_read;[kernel]do_syscall_64';
  expect(draw(series)).toEqual([
    'kernel kworker/0:1: 1 [anon][unknown: kernel stack failed]',
    'cc1 cc1: 2 [anon][unknown: process exited]',
    `cc1 cc1: 1 ${kernel};[anon][unknown: user stack failed]`,
    'as as: 1 [anon][unknown: stack map lost]',
    'as as: 1 [anon][unknown: no stack]',
  ]);
  expect(counters).toMatchObject({
    sampled: 10,
    sent: 6,
    lost_ring_full: 3,
    lost_read: 1,
    incomplete_kernel_stack_failed: 1,
    incomplete_user_stack_failed: 1,
    incomplete_process_exited: 2,
    incomplete_stack_map_lost: 1,
    incomplete_no_stack: 1,
  });
  expect(unaccounted(counters)).toBe(0);
});

test('hidden kernel addresses are said to be hidden', () => {
  const hidden = KALLSYMS.replace(/^f\w+/gm, '0000000000000000');
  const { series } = assembleWindow(makeWindow([{ kernelStack: 1 }]), makeTables(hidden));
  expect(draw(series).join()).toContain('[kernel][unknown: kernel addresses hidden]');
});

test('series over the limit share one, and that is counted', () => {
  const window = makeWindow([9_000_001, 9_000_002, 9_000_003].map((tgid) => ({ tgid })));
  const { series, counters } = assembleWindow(window, makeTables(KALLSYMS, 1));
  expect(series.map(({ labels }) => labels.comm)).toEqual(['kworker/0:1', '[other]']);
  expect(counters).toMatchObject({ series_overflow: 2, sent: 3 });
});
