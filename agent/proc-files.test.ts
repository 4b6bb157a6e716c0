import { describe, expect, test } from 'vitest';
import { parseBusyNs, parseMaps, parseStat, parseStatus, startTicksOf } from './proc-files.ts';

const MAPS = `\
5594c90ce000-5594c90d0000 r--p 00000000 fe:00 247026                     /usr/bin/cat
5594c90d0000-5594c90d5000 r-xp 00002000 fe:00 247026                     /usr/bin/cat
5594e0ead000-5594e0ece000 rw-p 00000000 00:00 0                          [heap]
7f0000000000-7f0000001000 rwxp 00000000 00:00 0 
7f0000002000-7f0000003000 r-xs 00001000 00:01 4026                       /memfd:doublemapper (deleted)
7f0000004000-7f0000005000 r-xp 00000000 fe:00 9                          /tmp/a b\\012c (deleted)
7fc9d2026000-7fc9d2028000 r-xp 00000000 00:00 0                          [vdso]
ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0                  [vsyscall]
`;

describe('maps', () => {
  test('only executable memory of user space is kept', () => {
    const drawn = parseMaps(MAPS).map(
      (m) =>
        `${m.start.toString(16)}-${m.end.toString(16)} +${m.fileOffset.toString(16)} ` +
        `${m.device} ${m.inode} ${JSON.stringify(m.path)}${m.deleted ? ' deleted' : ''}`,
    );
    expect(drawn).toEqual([
      '5594c90d0000-5594c90d5000 +2000 fe:00 247026 "/usr/bin/cat"',
      '7f0000000000-7f0000001000 +0 00:00 0 ""',
      '7f0000002000-7f0000003000 +1000 00:01 4026 "/memfd:doublemapper" deleted',
      '7f0000004000-7f0000005000 +0 fe:00 9 "/tmp/a b\\nc" deleted',
      '7fc9d2026000-7fc9d2028000 +0 00:00 0 "[vdso]"',
    ]);
  });

  test.each([
    ['', 0],
    ['nonsense', 0],
    ['1-2 r-xp', 0],
    ['zz-1 r-xp 0 0:0 0', 0],
  ])('%j has no mapping', (text, count) => expect(parseMaps(text)).toHaveLength(count));
});

describe('stat', () => {
  const tail =
    'S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 20 0 1 0 182478 23 24 25 26 27 140733038571184 29';

  test.each([
    ['77 (node)', 'node'],
    ['77 (a) b (c)', 'a) b (c'],
    ['77 ()', ''],
  ])('%s is the command %j', (head, comm) => {
    expect(parseStat(`${head} ${tail}`)).toEqual({
      comm,
      startTicks: 182478,
      startStack: 140733038571184n,
    });
  });

  test('what is cut short is refused', () => {
    expect(() => parseStat('77 (node) S 1 2 3')).toThrow('this is no /proc/PID/stat');
  });

  test('a start time in ns is cut to ticks of 10 ms', () => {
    expect(startTicksOf(1_824_784_534_180n)).toBe(182_478);
  });
});

describe('status', () => {
  test.each([
    ['Tgid:\t5\nUid:\t1000\t1001\t0\t0\nNSpid:\t4711\t17\t3\n', 1001, 3],
    ['Tgid:\t5\nUid:\t0\t0\t0\t0\n', 0, 5],
  ])('%j', (text, uid, namespacePid) => {
    expect(parseStatus(text)).toEqual({ uid, namespacePid });
  });
});

test('busy time leaves out idle, waiting, stolen and guest time', () => {
  const text = 'cpu  100 20 30 4000 500 6 7 800 90 9\ncpu0 1 2 3\n';
  expect(parseBusyNs(text)).toBe((100 + 20 + 30 + 6 + 7) * 1e7);
});
