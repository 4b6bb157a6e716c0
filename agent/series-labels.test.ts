import { expect, test } from 'vitest';
import { canonicalLabels } from '../profile/select/labels.ts';
import { labelsOf, SeriesLimit } from './series-labels.ts';

const plain = {
  comm: 'node',
  exe: '/usr/bin/node',
  cgroup: { containerId: '', systemdUnit: '' },
  kernelThread: false,
};
const unit = { containerId: '', systemdUnit: 'shop.service' };
const draw = (labels: Readonly<Record<string, string>>) =>
  Object.entries(labels)
    .map(([name, value]) => `${name}=${value}`)
    .join(' ');

test.each([
  ['executable', plain, {}, 'service_name=node host=h comm=node exe=/usr/bin/node'],
  [
    'systemd unit',
    { ...plain, cgroup: unit },
    {},
    'service_name=shop host=h comm=node exe=/usr/bin/node systemd_unit=shop.service',
  ],
  [
    'container',
    { ...plain, cgroup: { containerId: 'c1', systemdUnit: '' } },
    {},
    'service_name=node host=h comm=node exe=/usr/bin/node container_id=c1',
  ],
  ['gone before /proc was read', { ...plain, exe: '' }, {}, 'service_name=node host=h comm=node'],
  [
    'kernel thread',
    { ...plain, comm: 'kworker/0:1', exe: '', kernelThread: true },
    {},
    'service_name=kernel host=h comm=kworker/0:1',
  ],
  [
    'the operator says otherwise',
    { ...plain, cgroup: unit },
    { service_name: 'x', exe: '', team: 'a' },
    'service_name=x host=h comm=node systemd_unit=shop.service team=a',
  ],
])('%s', (_name, process, own, expected) => {
  expect(draw(labelsOf(process, 'h', own))).toBe(expected);
});

test('a path of 4,096 bytes of wide characters is cut to what the server takes', () => {
  const labels = labelsOf({ ...plain, exe: `/${'é€'.repeat(2_000)}` }, 'h', {});
  expect(Buffer.byteLength(labels.exe!)).toBeLessThanOrEqual(4_096);
  expect(labels.exe).not.toContain('\ufffd');
  expect(canonicalLabels(labels)).toBeTruthy();
});

test('over the limit, series share one; an idle series makes room', () => {
  const limit = new SeriesLimit(2);
  const own = { team: 'a' };
  const admit = (comm: string) => draw(limit.admit({ host: 'h', comm, team: 'a' }, own).labels);
  expect(admit('one')).toBe('host=h comm=one team=a');
  expect(admit('two')).toBe('host=h comm=two team=a');
  expect(admit('three')).toBe('service_name=[other] host=h team=a comm=[other]');
  expect(admit('one')).toBe('host=h comm=one team=a');
  for (let window = 0; window < 61; window++) {
    limit.beginWindow();
    admit('two');
  }
  expect(admit('three')).toBe('host=h comm=three team=a');
  expect(limit.active).toBe(2);
});
