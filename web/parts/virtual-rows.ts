/** Which rows of a long table exist: those in view and a few around them. */
import { useVirtualizer } from '@tanstack/react-virtual';
import { type KeyboardEvent, useEffect, useRef } from 'react';
import { useMedia, useSize } from './hooks.ts';

const ROW_PX = 24;
const PHONE_ROW_PX = 36;
const OVERSCAN = 12;
const PAGE_ROWS = 20;

export function useVirtualRows(count: number) {
  const scroller = useRef<HTMLDivElement>(null);
  const { width } = useSize(scroller);
  const phone = useMedia('(max-width: 800px)');
  const rowPx = phone ? PHONE_ROW_PX : ROW_PX;
  const rows = useVirtualizer({
    count,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowPx,
    overscan: OVERSCAN,
  });
  // Sizes are estimates that hold: they are read again only where the row height changes.
  const measured = useRef(rowPx);
  useEffect(() => {
    if (measured.current === rowPx) return;
    measured.current = rowPx;
    rows.measure();
  }, [rows, rowPx]);
  const items = rows.getVirtualItems();
  const last = items.at(-1);
  return {
    scroller,
    widthPx: width,
    phone,
    indices: items.map(({ index }) => index),
    /** Heights of the spaces that stand for the rows above and below. */
    abovePx: items[0]?.start ?? 0,
    belowPx: Math.max(0, rows.getTotalSize() - (last?.end ?? 0)),
    reveal: (index: number) => rows.scrollToIndex(index),
  };
}

/** The row that a key leads to; null for other keys. */
export function rowForKey(event: KeyboardEvent, current: number, count: number): number | null {
  const steps: Record<string, number> = {
    ArrowDown: 1,
    ArrowUp: -1,
    PageDown: PAGE_ROWS,
    PageUp: -PAGE_ROWS,
  };
  const step = steps[event.key];
  if (step === undefined || count === 0) return null;
  return Math.min(Math.max(current + step, 0), count - 1);
}
