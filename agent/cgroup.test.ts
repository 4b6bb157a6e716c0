import { expect, test } from 'vitest';
import { parseCgroup } from './cgroup.ts';

const ID = '0123456789abcdef'.repeat(4);
const POD = 'pod8a2e6b1c_7d4f_4b5a_9c3e_1f2a3b4c5d6e';

test.each([
  ['not a container', '0::/', '', ''],
  ['v2 service', '0::/system.slice/nginx.service', '', 'nginx.service'],
  ['template', '0::/system.slice/system-getty.slice/getty@tty1.service', '', 'getty@tty1.service'],
  ['login session', '0::/user.slice/user-1000.slice/session-3.scope', '', ''],
  ['user manager', '0::/user.slice/user-1000.slice/user@1000.service/init.scope', '', ''],
  [
    'user service',
    '0::/user.slice/user-1000.slice/user@1000.service/app.slice/app-x.service',
    '',
    'app-x.service',
  ],
  ['v1', '5:cpu:/\n1:name=systemd:/system.slice/cron.service', '', 'cron.service'],
  ['v1 controller is no unit', '5:cpu:/system.slice/cron.service\n1:name=systemd:/', '', ''],
  ['docker v1', `5:memory:/docker/${ID}`, ID, ''],
  ['docker v2', `0::/system.slice/docker-${ID}.scope`, ID, ''],
  ['podman', `0::/machine.slice/libpod-${ID}.scope/container`, ID, ''],
  ['podman monitor', `0::/machine.slice/libpod-conmon-${ID}.scope`, '', ''],
  ['crio', `0::/kubepods.slice/kubepods-${POD}.slice/crio-${ID}.scope`, ID, ''],
  ['crio monitor', `0::/kubepods.slice/crio-conmon-${ID}.scope`, '', ''],
  ['containerd', `0::/kubepods.slice/${POD}.slice/cri-containerd-${ID}.scope`, ID, ''],
  ['cgroupfs', `0::/kubepods/burstable/pod8a2e6b1c/${ID}`, ID, ''],
  [
    'containerd as a service',
    `0::/system.slice/containerd.service/kubepods-${POD}.slice:cri-containerd:${ID}`,
    ID,
    '',
  ],
  ['a service within a container', `0::/docker/${ID}/system.slice/sshd.service`, ID, ''],
  ['ecs', `0::/ecs/task/${ID.slice(0, 32)}-1234567`, `${ID.slice(0, 32)}-1234567`, ''],
  ['lxc', '0::/lxc.payload.web1/system.slice', 'web1', ''],
  ['nonsense', 'nonsense\n::\n0:', '', ''],
])('%s', (_name, text, containerId, systemdUnit) => {
  expect(parseCgroup(text)).toEqual({ containerId, systemdUnit });
});
