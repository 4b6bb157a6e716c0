/** The figures of a quality block in words: pure. */

import type { Quality } from '../../profile/flame/quality.ts';
import { formatCount } from '../../profile/format-value.ts';
import { formatShare } from '../format.ts';
import { wordsOfReason } from './reason-words.ts';

export interface QualityFigure {
  /** Stands after the value: "samples", "lost". */
  name: string;
  value: string;
  warn: boolean;
  title: string;
  explanation: string;
  rows: QualityRow[];
}

export interface QualityRow {
  text: string;
  amount: string;
  share: string;
  /** As the server calls it, where the page of symbols can show whom it concerns. */
  reason?: string;
}

/** Above this share a figure is marked: the reader should not miss it. */
const WARN_SHARE = 0.01;
/** An effective rate this far below the nominal one is marked. */
const WARN_RATE = 0.9;

function sumOf(record: Record<string, number>): number {
  return Object.values(record).reduce((sum, value) => sum + value, 0);
}

const readable = (reason: string) => reason.replace(/^(lost|incomplete)_/, '').replace(/_/g, ' ');

function reasonRows(
  record: Record<string, number>,
  whole: number,
  amount: (value: number) => string,
): QualityRow[] {
  return Object.entries(record)
    .filter(([, value]) => value > 0)
    .sort((p, q) => q[1] - p[1])
    .map(([reason, value]) => ({
      text: readable(reason),
      amount: amount(value),
      share: whole > 0 ? formatShare(value / whole) : '',
    }));
}

/** `total` is the answer's, in its unit: what shares of weight are shares of. */
export function describeQuality(quality: Quality, total: number): QualityFigure[] {
  const { series } = quality;
  return [
    samplesFigure(quality),
    ...rateFigure(quality),
    ...lostFigure(quality),
    ...damagedFigure(quality),
    weightFigure('incomplete', 'Incomplete stacks', series.incomplete, total, INCOMPLETE),
    unsymbolizedFigure(series.unsymbolized, total),
    ...truncatedFigure(series.truncated, total),
  ];
}

const INCOMPLETE =
  'Stacks of which a part could not be read. Their weight is in the answer, under a frame that says why.';
const UNSYMBOLIZED = 'Code that is shown as binary+address, by the reason why it has no name.';
const SYMBOLIZED = 'Every frame has a name.';

function samplesFigure({ series, hosts }: Quality): QualityFigure {
  const row = (text: string, count: number): QualityRow => {
    return { text, amount: formatCount(count), share: '' };
  };
  const rows =
    hosts === null
      ? []
      : [
          row('Taken on these hosts', hosts.sampled),
          row("Excluded by the operator's rules", hosts.excluded),
          row('Sent', hosts.sent),
          row('Lost', sumOf(hosts.lost)),
        ];
  return {
    name: 'samples',
    value: series.samples === null ? 'unknown' : formatCount(series.samples),
    warn: false,
    title: 'What this answer rests on',
    explanation:
      hosts === null
        ? 'Sampled events in the selected profiles.'
        : 'Samples in the selected profiles. Of the hosts they came from, as a whole: taken = excluded + sent + lost.',
    rows,
  };
}

function damagedFigure({ damaged }: Quality): QualityFigure[] {
  if (damaged === undefined) return [];
  return [
    {
      name: 'damaged',
      value: `${formatCount(damaged.samples)} rows`,
      warn: true,
      title: 'Damaged files',
      explanation:
        'The server cannot read some of its files about this time. Their rows are not in the answer, and the files were set aside.',
      rows: [{ text: 'Blocks', amount: formatCount(damaged.blocks), share: '' }],
    },
  ];
}

const formatHz = (hz: number) => String(Number(hz.toPrecision(3)));

function rateFigure({ hosts }: Quality): QualityFigure[] {
  if (hosts?.nominalHz == null) return [];
  const { nominalHz, effectiveHz } = hosts;
  const reached = effectiveHz === null ? 'unknown' : formatHz(effectiveHz);
  return [
    {
      name: 'effective rate',
      value: `${reached} of ${formatHz(nominalHz)} Hz`,
      warn: effectiveHz !== null && effectiveHz < nominalHz * WARN_RATE,
      title: 'Sampling rate',
      explanation:
        'Samples per second of busy CPU, against the rate asked for. A lower rate means samples that were never taken.',
      rows: [],
    },
  ];
}

function lostFigure({ hosts }: Quality): QualityFigure[] {
  if (hosts === null) return [];
  const lost = sumOf(hosts.lost);
  const share = hosts.sampled > 0 ? lost / hosts.sampled : 0;
  return [
    {
      name: 'lost',
      value: formatShare(share),
      warn: share > WARN_SHARE || hosts.missingWindows > 0,
      title: 'Lost samples',
      explanation:
        lost === 0
          ? 'Every sample taken on these hosts was sent.'
          : 'Samples taken on these hosts that are in no profile, by reason.',
      rows: reasonRows(hosts.lost, hosts.sampled, formatCount),
    },
  ];
}

function weightFigure(
  name: string,
  title: string,
  record: Record<string, number>,
  total: number,
  explanation: string,
): QualityFigure {
  const share = total > 0 ? sumOf(record) / total : 0;
  const rows = reasonRows(record, total, () => '');
  return { name, value: formatShare(share), warn: share > WARN_SHARE, title, explanation, rows };
}

function unsymbolizedFigure(record: Record<string, number>, total: number): QualityFigure {
  const explanation = sumOf(record) > 0 ? UNSYMBOLIZED : SYMBOLIZED;
  const figure = weightFigure('unsymbolized', 'Frames without names', record, total, explanation);
  const reasons = Object.entries(record)
    .filter(([, value]) => value > 0)
    .sort((p, q) => q[1] - p[1]);
  const rows = reasons.map(([reason, value]) => ({
    text: wordsOfReason(reason).title,
    amount: '',
    share: total > 0 ? formatShare(value / total) : '',
    reason,
  }));
  return { ...figure, rows };
}

function truncatedFigure(truncated: number, total: number): QualityFigure[] {
  if (truncated <= 0) return [];
  return [
    {
      name: 'folded',
      value: formatShare(total > 0 ? truncated / total : 0),
      warn: false,
      title: 'Folded small frames',
      explanation:
        'Weight of frames too small to be sent one by one. It is in the totals of their callers; zoom in to see them. The function table is not affected.',
      rows: [],
    },
  ];
}
