/** Figures of users' SQL. */
import type { Gauge } from '../metrics.ts';
import type { SqlStats } from './sql-runner.ts';

export function sqlGauges(read: () => SqlStats): Gauge[] {
  return [
    {
      name: 'everflame_sql_running',
      description: 'SQL statements that run, each in a process of its own.',
      read: () => read().running,
    },
    {
      name: 'everflame_sql_waiting',
      description: 'SQL statements that wait for others to end.',
      read: () => read().waiting,
    },
    {
      name: 'everflame_sql_processes_died',
      description: 'Processes of SQL statements that ended without an answer, mostly at a limit.',
      monotonic: true,
      read: () => read().died,
    },
  ];
}
