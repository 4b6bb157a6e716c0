/** One or two lines over time, drawn by hand as SVG, with an optional selected part. */
import { type KeyboardEvent, type PointerEvent, useRef, useState } from 'react';
import { formatClock, formatNumber } from '../format.ts';
import type { Range } from '../time.ts';
import { useSize } from './hooks.ts';
import { areaPath, linePath, niceMax, type PlotFrame, plotX, timeAt } from './series-geometry.ts';

export interface SeriesLine {
  /** A value per step; null where nothing is known. */
  values: readonly (number | null)[];
  className?: string;
}

export interface SeriesPlotProps {
  label: string;
  range: Range;
  stepMs: number;
  lines: readonly SeriesLine[];
  ticks: readonly { ms: number; text: string }[];
  /** Names the lines inside the plot. */
  keys?: readonly { text: string; className: string }[];
  brush?: Range | null;
  onBrush?: (brush: Range | null) => void;
}

const HANDLE_REACH_PX = 10;

export function SeriesPlot(props: SeriesPlotProps) {
  const { label, range, stepMs, lines, ticks, onBrush } = props;
  const host = useRef<HTMLDivElement>(null);
  const { width, height } = useSize(host);
  const [drag, setDrag] = useState<Range | null>(null);
  const brush = drag ?? props.brush ?? null;
  const frame: PlotFrame = { width, height, range, stepMs, max: niceMax(lines) };
  const [single] = lines.length === 1 ? lines : [];
  return (
    <div
      className={`plot${onBrush ? ' brushable' : ''}`}
      ref={host}
      onPointerDown={onBrush && ((event) => startDrag(event, frame, brush, setDrag, onBrush))}
    >
      {width === 0 ? null : (
        <svg width={width} height={height} role="img" aria-label={label}>
          <Grid frame={frame} ticks={ticks} />
          {single ? <path className="ar" d={areaPath(frame, single.values)} /> : null}
          {lines.map((line, index) => (
            <path
              // biome-ignore lint/suspicious/noArrayIndexKey: lines have a fixed order.
              key={index}
              className={`l ${line.className ?? ''}`}
              d={linePath(frame, line.values)}
            />
          ))}
          {brush ? <Shade frame={frame} brush={brush} /> : null}
          {(props.keys ?? []).map(({ text, className }, index) => (
            <g key={text} transform={`translate(${42 + index * 48} 14)`}>
              <line className={`l ${className}`} x2="22" y1="-4" y2="-4" />
              <text x="28">{text}</text>
            </g>
          ))}
        </svg>
      )}
      {brush && onBrush && width > 0 ? (
        <Handles frame={frame} brush={brush} onBrush={onBrush} />
      ) : null}
    </div>
  );
}

function Grid({ frame, ticks }: { frame: PlotFrame; ticks: SeriesPlotProps['ticks'] }) {
  const { left, right, bottom, top } = frameEdges(frame);
  const y = (value: number) => bottom - (value / frame.max) * (bottom - top);
  return (
    <>
      {[0, frame.max / 2, frame.max].map((value) => (
        <g key={value}>
          <line className="grid" x1={left} x2={right} y1={y(value)} y2={y(value)} />
          <text x={left - 6} y={y(value) + 4} textAnchor="end">
            {axisText(value)}
          </text>
        </g>
      ))}
      {ticks
        .map(({ ms, text }) => ({ ms, text, x: plotX(frame, ms) }))
        .filter(({ x }) => x > left + 12 && x < right - 12)
        .map(({ ms, text, x }) => (
          <text key={ms} x={x} y={frame.height - 4} textAnchor="middle">
            {text}
          </text>
        ))}
    </>
  );
}

function axisText(value: number): string {
  if (value >= 1e9) return `${formatNumber(value / 1e9)}G`;
  if (value >= 1e6) return `${formatNumber(value / 1e6)}M`;
  if (value >= 1e4) return `${formatNumber(value / 1e3)}k`;
  return String(Number(value.toPrecision(3)));
}

function frameEdges(frame: PlotFrame) {
  return {
    left: plotX(frame, frame.range.fromMs),
    right: plotX(frame, frame.range.toMs),
    bottom: frame.height - 18,
    top: 6,
  };
}

/** Greys what lies outside the selected part. */
function Shade({ frame, brush }: { frame: PlotFrame; brush: Range }) {
  const { left, right, bottom, top } = frameEdges(frame);
  const [a, b] = [plotX(frame, brush.fromMs), plotX(frame, brush.toMs)].map((x) =>
    Math.min(Math.max(x, left), right),
  ) as [number, number];
  return (
    <>
      <rect className="off" x={left} y={0} width={a - left} height={bottom} />
      <rect className="off" x={b} y={0} width={right - b} height={bottom} />
      {[a, b].map((x, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the two ends.
        <g key={index} className="hd">
          <rect x={x - 1} y={top} width={2} height={bottom - top} />
          <rect x={x - 3} y={bottom - 22} width={6} height={14} rx={2} />
        </g>
      ))}
    </>
  );
}

/** The two ends of the selected part as sliders: arrows move by a step, Shift by ten. */
function Handles(props: {
  frame: PlotFrame;
  brush: Range;
  onBrush: (brush: Range | null) => void;
}) {
  const { frame, brush, onBrush } = props;
  const onKeyDown = (event: KeyboardEvent, end: 'fromMs' | 'toMs') => {
    if (event.key === 'Escape' || event.key === 'Delete') onBrush(null);
    const direction = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
    if (direction !== undefined) {
      const moved = brush[end] + direction * frame.stepMs * (event.shiftKey ? 10 : 1);
      const next = { ...brush, [end]: clamp(moved, frame.range) };
      if (next.fromMs < next.toMs) onBrush(next);
    } else return;
    event.preventDefault();
  };
  return (
    <>
      {(['fromMs', 'toMs'] as const).map((end) => (
        <div
          key={end}
          className="handle"
          role="slider"
          tabIndex={0}
          aria-label={end === 'fromMs' ? 'Start of the selection' : 'End of the selection'}
          aria-valuemin={frame.range.fromMs}
          aria-valuemax={frame.range.toMs}
          aria-valuenow={brush[end]}
          aria-valuetext={formatClock(brush[end], true)}
          style={{ left: plotX(frame, clamp(brush[end], frame.range)) - 8 }}
          onKeyDown={(event) => onKeyDown(event, end)}
        />
      ))}
    </>
  );
}

function clamp(ms: number, range: Range): number {
  return Math.min(Math.max(ms, range.fromMs), range.toMs);
}

/** Dragging from a handle moves that end, from anywhere else it selects anew; a click clears. */
function startDrag(
  event: PointerEvent<HTMLDivElement>,
  frame: PlotFrame,
  brush: Range | null,
  setDrag: (drag: Range | null) => void,
  onBrush: (brush: Range | null) => void,
): void {
  const host = event.currentTarget;
  const origin = host.getBoundingClientRect().left;
  const snap = (clientX: number) =>
    clamp(Math.round(timeAt(frame, clientX - origin) / frame.stepMs) * frame.stepMs, frame.range);
  const near = (ms: number) =>
    Math.abs(plotX(frame, ms) - (event.clientX - origin)) < HANDLE_REACH_PX;
  let fixed = snap(event.clientX);
  if (brush && near(brush.fromMs)) fixed = brush.toMs;
  else if (brush && near(brush.toMs)) fixed = brush.fromMs;
  let last: Range | null = null;
  host.setPointerCapture(event.pointerId);
  const move = (to: globalThis.PointerEvent) => {
    if (last === null && Math.abs(to.clientX - event.clientX) < 3) return;
    const at = snap(to.clientX);
    if (at === fixed) return;
    last = { fromMs: Math.min(at, fixed), toMs: Math.max(at, fixed) };
    setDrag(last);
  };
  const finish = () => {
    host.removeEventListener('pointermove', move);
    host.removeEventListener('pointerup', finish);
    host.removeEventListener('pointercancel', finish);
    setDrag(null);
    if (last !== null) onBrush(last);
  };
  host.addEventListener('pointermove', move);
  host.addEventListener('pointerup', finish);
  host.addEventListener('pointercancel', finish);
}
