import { expect, test } from 'vitest';
import { effectiveCapabilities, lackOfPrivileges } from './privileges.ts';

const BPF = 1n << 39n;
const PERFMON = 1n << 38n;
const ADMIN = 1n << 21n;

test.each([
  [0n, 'CAP_BPF CAP_PERFMON'],
  [BPF, 'CAP_PERFMON'],
  [PERFMON, 'CAP_BPF'],
  [BPF | PERFMON, ''],
  [ADMIN, ''],
])('%s lacks %s', (effective, names) => {
  const error = lackOfPrivileges(effective);
  expect(error?.message.match(/CAP_\w+/g)?.join(' ') ?? '').toBe(names);
  expect(`${error?.message} ${error?.remedy}`).not.toContain('\n');
});

test.each([
  ['Name:\tnode\nCapEff:\t000001ffffffffff\nSeccomp:\t0\n', 0x1ffffffffffn],
  ['Name:\tnode\n', 0n],
])('%j', (status, effective) => expect(effectiveCapabilities(status)).toBe(effective));
