/** Figures of the debug information that the server holds, gets and converts. */
import type { SymbolizerStats } from '../symbolizer/symbolizer.ts';
import type { Gauge } from './metrics.ts';

export function debuginfoGauges(read: () => SymbolizerStats): Gauge[] {
  return [
    {
      name: 'everflame_debuginfo_entries',
      description: 'Build ids of which debug information is known.',
      read: () => read().entries,
    },
    {
      name: 'everflame_debuginfo_disk_bytes',
      description: 'Bytes of debug information and symbol files on disk.',
      read: () => read().bytesOnDisk,
    },
    {
      name: 'everflame_debuginfo_evictions',
      description: 'Build ids whose files went to keep to --debuginfo-bytes.',
      monotonic: true,
      read: () => read().evictions,
    },
    {
      name: 'everflame_debuginfo_waiting_conversions',
      description: 'Build ids that are converted or wait for it.',
      read: () => read().waitingConversions,
    },
    {
      name: 'everflame_debuginfo_conversions',
      description: 'Conversions to symbol files, by outcome.',
      monotonic: true,
      read: () => byOutcome(read().conversions),
    },
    {
      name: 'everflame_debuginfo_conversion_seconds',
      description: 'Time that conversions took.',
      monotonic: true,
      read: () => read().conversionSeconds,
    },
    {
      name: 'everflame_debuginfod_downloads',
      description: 'Files asked of debuginfod servers, by outcome.',
      monotonic: true,
      read: () => byOutcome(read().debuginfod),
    },
    {
      name: 'everflame_debuginfod_bytes',
      description: 'Bytes received from debuginfod servers.',
      monotonic: true,
      read: () => read().debuginfodBytes,
    },
    {
      name: 'everflame_debuginfo_dropped_lookups',
      description: 'Build ids not looked for because too many were remembered at the time.',
      monotonic: true,
      read: () => read().droppedLookups,
    },
  ];
}

function byOutcome(counts: Readonly<Record<string, number>>): [number, { outcome: string }][] {
  return Object.entries(counts).map(([outcome, count]) => [count, { outcome }]);
}
