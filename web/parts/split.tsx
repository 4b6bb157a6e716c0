/** The one vertical division of a page: dragged, or moved by arrow keys. */
import { type KeyboardEvent, type PointerEvent, useRef } from 'react';

const MIN_RIGHT_PX = 300;
const MIN_LEFT_PX = 420;
const STEP_PX = 32;

export function Split({ initialPx }: { initialPx: number }) {
  const self = useRef<HTMLDivElement>(null);
  const width = useRef(initialPx);
  const set = (px: number) => {
    const panes = self.current?.parentElement;
    if (!panes) return;
    width.current = Math.max(MIN_RIGHT_PX, Math.min(panes.clientWidth - MIN_LEFT_PX, px));
    panes.style.setProperty('--split', `${width.current}px`);
    const share = Math.round(100 - (100 * width.current) / panes.clientWidth);
    self.current?.setAttribute('aria-valuenow', String(share));
  };
  const onPointerDown = (event: PointerEvent<HTMLDivElement>) => {
    const bar = event.currentTarget;
    bar.setPointerCapture(event.pointerId);
    const move = (to: globalThis.PointerEvent) => set(window.innerWidth - to.clientX);
    const finish = () => bar.removeEventListener('pointermove', move);
    bar.addEventListener('pointermove', move);
    bar.addEventListener('pointerup', finish, { once: true });
    bar.addEventListener('pointercancel', finish, { once: true });
  };
  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowLeft: STEP_PX, ArrowRight: -STEP_PX }[event.key];
    if (step === undefined) return;
    set(width.current + step);
    event.preventDefault();
  };
  return (
    // biome-ignore lint/a11y/useSemanticElements: a rule cannot be dragged.
    <div
      className="sep"
      ref={self}
      role="separator"
      tabIndex={0}
      aria-orientation="vertical"
      aria-label="Width of the flame graph"
      aria-valuenow={66}
      aria-valuemin={20}
      aria-valuemax={80}
      onPointerDown={onPointerDown}
      onKeyDown={onKeyDown}
    />
  );
}
