/** What a process' control groups say about who runs it: /proc/PID/cgroup of v1 and v2. */

export interface CgroupNames {
  /** 64 hex digits (or what the runtime calls it); empty outside containers. */
  containerId: string;
  /** Such as `nginx.service`; empty where no service unit is in the path. */
  systemdUnit: string;
}

/**
 * The ids that runtimes put into the last parts of the path: `docker-ID.scope`, `/docker/ID`,
 * `cri-containerd-ID.scope`, `crio-ID.scope`, `libpod-ID.scope`, `/kubepods/.../ID`,
 * `...slice:cri-containerd:ID`, and ECS' `/ecs/.../TASK-NUMBER`.
 */
const CONTAINER_ID = /(?:^|[-:/])([0-9a-f]{64}|[0-9a-f]{32}-\d{1,10})(?:\.scope)?$/;
const LXC = /\/lxc(?:\.payload)?[./]([^/]+)/;
/** crio's own monitor process of a container is not in it. */
const MONITOR = /(?:^|\/)(?:crio|libpod)-conmon-/;

export function parseCgroup(text: string): CgroupNames {
  const names: CgroupNames = { containerId: '', systemdUnit: '' };
  for (const line of text.split('\n')) {
    const [, controllers, path] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    if (controllers === undefined || path === undefined) continue;
    names.containerId ||= containerIdOf(path);
    // Units are systemd's groups: the unified hierarchy, or v1's named one.
    if (controllers === '' || controllers === 'name=systemd') names.systemdUnit ||= unitOf(path);
  }
  // The unit around a container is its runtime's.
  if (names.containerId !== '') names.systemdUnit = '';
  return names;
}

function containerIdOf(path: string): string {
  if (MONITOR.test(path)) return '';
  const parts = path.split('/');
  for (let i = parts.length - 1; i >= 0; i--) {
    const id = CONTAINER_ID.exec(parts[i] ?? '')?.[1];
    if (id !== undefined) return id;
  }
  return LXC.exec(path)?.[1] ?? '';
}

/** The innermost service; a user's manager is a service of no use as a name. */
function unitOf(path: string): string {
  const unit = path.split('/').findLast((part) => part.endsWith('.service'));
  return unit === undefined || /^user@\d+\.service$/.test(unit) ? '' : unit;
}
