/** Small hooks over the browser: sizes, the clock, delays, clipboard. */
import { type RefObject, useCallback, useEffect, useLayoutEffect, useState } from 'react';

export interface Size {
  width: number;
  height: number;
}

/** The content size of an element, kept current. */
export function useSize(ref: RefObject<HTMLElement | null>): Size {
  const [size, setSize] = useState<Size>({ width: 0, height: 0 });
  useLayoutEffect(() => {
    const element = ref.current;
    if (element === null) return;
    const read = () => {
      const next = { width: element.clientWidth, height: element.clientHeight };
      setSize((now) => (now.width === next.width && now.height === next.height ? now : next));
    };
    read();
    const observer = new ResizeObserver(read);
    observer.observe(element);
    return () => observer.disconnect();
  }, [ref]);
  return size;
}

export interface Clock {
  nowMs: number;
  /** Reads the clock at once. */
  tick: () => void;
}

/**
 * The time, read again every `everyMs` while `running` and while the page is seen. A tick for which
 * `mayTick` is false is left out: an answer that takes longer than that must not be started anew.
 */
export function useClock(everyMs: number, running: boolean, mayTick: () => boolean): Clock {
  const [nowMs, setNow] = useState(() => Date.now());
  const tick = useCallback(() => setNow(Date.now()), []);
  useEffect(() => {
    if (!running) return;
    tick();
    const timer = setInterval(() => {
      if (!document.hidden && mayTick()) tick();
    }, everyMs);
    document.addEventListener('visibilitychange', tick);
    return () => {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', tick);
    };
  }, [everyMs, running, mayTick, tick]);
  return { nowMs, tick };
}

/** The value as it was `delayMs` ago, if it has not changed since. */
export function useDelayed<T>(value: T, delayMs: number): T {
  const [delayed, setDelayed] = useState(value);
  useEffect(() => {
    const timer = setTimeout(() => setDelayed(value), delayMs);
    return () => clearTimeout(timer);
  }, [value, delayMs]);
  return delayed;
}

/** Whether `active` has been true for `delayMs`: for what should not flash. */
export function useLasting(active: boolean, delayMs: number): boolean {
  const delayed = useDelayed(active, delayMs);
  return active && delayed;
}

export function useMedia(query: string): boolean {
  const [matches, setMatches] = useState(() => matchMedia(query).matches);
  useEffect(() => {
    const list = matchMedia(query);
    const read = () => setMatches(list.matches);
    read();
    list.addEventListener('change', read);
    return () => list.removeEventListener('change', read);
  }, [query]);
  return matches;
}

/** Copies text; where the browser forbids it (no TLS) by way of a selected field. */
export async function copyText(text: string): Promise<void> {
  if (navigator.clipboard !== undefined && window.isSecureContext) {
    await navigator.clipboard.writeText(text);
    return;
  }
  const field = document.createElement('textarea');
  field.value = text;
  field.className = 'sr';
  document.body.append(field);
  field.select();
  document.execCommand('copy');
  field.remove();
}
