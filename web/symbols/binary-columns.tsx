/** The columns of the list of binaries: heads, cells, and what each sorts by. */
import type { ReactNode } from 'react';
import { formatCount, formatValue } from '../../profile/format-value.ts';
import { formatShare } from '../format.ts';
import type { BinaryColumn, BinarySort } from '../url-state.ts';
import { type BinaryRow, originsOf, QUALITIES, STATES } from './binary-rows.ts';
import { BuildId } from './build-id.tsx';

export interface Column {
  id: BinaryColumn | 'unnamed';
  /** What the head's button sorts by; null where there is no order worth having. */
  sort: BinarySort | null;
  number: boolean;
  cell: (row: BinaryRow, total: number) => ReactNode;
}

export const COLUMN_TITLES: Record<Column['id'], string> = {
  'build-id': 'Build id',
  quality: 'Symbols',
  state: 'State',
  source: 'Source',
  size: 'On disk',
  functions: 'Functions',
  total: 'Total',
  self: 'Self',
  unnamed: 'Without names',
};

const share = (weight: number, total: number) =>
  weight > 0 && total > 0 ? formatShare(weight / total) : '';

/** The last one always stands there. */
export const COLUMNS: readonly Column[] = [
  {
    id: 'build-id',
    sort: null,
    number: false,
    cell: (row) =>
      row.build_id === '' ? (
        <span className="quiet">None</span>
      ) : (
        <BuildId buildId={row.build_id} />
      ),
  },
  {
    id: 'quality',
    sort: 'quality',
    number: false,
    cell: (row) => (
      <>
        <QualityMark row={row} />
        {QUALITIES[row.quality].short}
      </>
    ),
  },
  { id: 'state', sort: 'state', number: false, cell: (row) => <StateMark row={row} /> },
  { id: 'source', sort: null, number: false, cell: originsOf },
  {
    id: 'size',
    sort: 'size',
    number: true,
    cell: (row) => (row.sizeBytes > 0 ? formatValue(row.sizeBytes, 'bytes') : ''),
  },
  {
    id: 'functions',
    sort: 'functions',
    number: true,
    cell: (row) => (row.functions > 0 ? formatCount(row.functions) : ''),
  },
  { id: 'total', sort: 'total', number: true, cell: (row, total) => share(row.total, total) },
  { id: 'self', sort: 'self', number: true, cell: (row, total) => share(row.self, total) },
  {
    id: 'unnamed',
    sort: 'unnamed',
    number: true,
    cell: (row, total) => share(row.unnamed, total),
  },
];

/** Three marks; as many are full as the symbols can tell: lines, all functions, exported ones. */
export function QualityMark({ row }: { row: BinaryRow }) {
  const { level, title } = QUALITIES[row.quality];
  return (
    <span className="meter" title={title} aria-hidden="true">
      {[1, 2, 3].map((mark) => (
        <i key={mark} className={mark <= level ? 'on' : undefined} />
      ))}
    </span>
  );
}

/** A binary that is not here troubles nobody as long as no frame of it is without a name. */
export function isTrouble(row: BinaryRow): boolean {
  return row.state === 'failed' || (row.state === 'absent' && row.unnamed > 0);
}

/** What its symbols cannot say shows as their quality; the mark is for what is missing of it. */
function isLacking(row: BinaryRow): boolean {
  const isMissed = row.quality === 'lines' || row.unnamed > 0;
  return row.state === 'ready' && row.problem !== '' && isMissed;
}

export function StateMark({ row }: { row: BinaryRow }) {
  const busy = row.state === 'converting' || row.state === 'receiving';
  const lacks = isLacking(row);
  const tone = isTrouble(row) ? ' trouble' : busy ? ' working' : lacks ? ' lacking' : '';
  return (
    <span className={`status${tone}`} title={lacks ? row.problem : undefined}>
      {STATES[row.state]}
      {lacks ? <span className="sr">, with a problem</span> : null}
    </span>
  );
}
