/** Where the reader is: the History API over the page's own paths, under any prefix. */
import { useSyncExternalStore } from 'react';
import { type PageName, pageOf } from './url-state.ts';

export interface Place {
  page: PageName;
  params: URLSearchParams;
}

const listeners = new Set<() => void>();
let place = readPlace();

function readPlace(): Place {
  if (typeof location === 'undefined') return { page: 'explore', params: new URLSearchParams() };
  return { page: pageOf(location.pathname), params: new URLSearchParams(location.search) };
}

function moved(): void {
  place = readPlace();
  for (const listener of listeners) listener();
}

function subscribe(listener: () => void): () => void {
  if (listeners.size === 0) window.addEventListener('popstate', moved);
  listeners.add(listener);
  return () => {
    listeners.delete(listener);
    if (listeners.size === 0) window.removeEventListener('popstate', moved);
  };
}

export function usePlace(): Place {
  return useSyncExternalStore(subscribe, () => place);
}

/** A page's address relative to the one shown. `theme` stays if a link set it. */
export function hrefOf(page: PageName, params: URLSearchParams): string {
  return `./${page}?${params}`;
}

/** `replace` for what is not a step of its own: typing, a refresh, a moved handle. */
export function navigate(
  page: PageName,
  params: URLSearchParams,
  mode: 'push' | 'replace' = 'push',
): void {
  const href = hrefOf(page, params);
  if (new URL(href, location.href).href === location.href) return;
  if (mode === 'push') history.pushState(null, '', href);
  else history.replaceState(null, '', href);
  moved();
}
