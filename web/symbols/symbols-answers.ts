/** What the page of symbols asks the server, and what it asks it to do. */
import { keepPreviousData, useMutation, useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import type { DebuginfoJson, ProfileTypeJson } from '../../wire/http.ts';
import { queryClient } from '../answers.ts';
import { getJson, sendCommand } from '../api.ts';
import { REFRESH_MS, useLastGood } from '../explore/explore-answers.ts';
import { useClock } from '../parts/hooks.ts';
import { readSelected } from '../query/selected.ts';
import { alignRange, isRelative, resolveRange } from '../time.ts';
import type { SymbolsState } from '../url-state.ts';
import { isBusy, readRows } from './binary-rows.ts';

/** While the server receives or converts something, its progress is worth seeing. */
const BUSY_REFRESH_MS = 2_000;

const isIdle = () => queryClient.isFetching() === 0;

export function useSymbolsAnswers(state: SymbolsState, types: readonly ProfileTypeJson[]) {
  const relative = isRelative(state.range);
  const live = relative && !state.paused;
  const clock = useClock(REFRESH_MS, live, isIdle);
  const selected = readSelected(state.query, types);
  const resolved = resolveRange(state.range, clock.nowMs);
  const range = relative ? alignRange(resolved, REFRESH_MS) : resolved;
  const selection = { query: selected.query, range };
  const debuginfo = useQuery({
    queryKey: ['debuginfo', selection],
    placeholderData: keepPreviousData,
    queryFn: ({ signal }) => {
      const params = { query: selection.query, from: range.fromMs, to: range.toMs };
      return getJson<DebuginfoJson>('debuginfo', params, signal);
    },
    refetchInterval: (query) => (isBusy(query.state.data) ? BUSY_REFRESH_MS : false),
  });
  const rows = useMemo(
    () => (debuginfo.data === undefined ? null : readRows(debuginfo.data)),
    [debuginfo.data],
  );
  // An answer that stands in for the next one has no time of its own.
  const answeredMs = useLastGood('answered', debuginfo.dataUpdatedAt || undefined) ?? null;
  return { selected, relative, live, clock, range, debuginfo, answeredMs, rows };
}

export type SymbolsAnswers = ReturnType<typeof useSymbolsAnswers>;

const COMMANDS = {
  /** Looks in every source again and converts again. */
  retry: (buildId: string) => sendCommand('POST', `debuginfo/${encodeURIComponent(buildId)}/retry`),
  remove: (buildId: string) => sendCommand('DELETE', `debuginfo/${encodeURIComponent(buildId)}`),
} as const;

/** Asks for something and then for the list anew. */
export function useBinaryCommand(name: keyof typeof COMMANDS) {
  return useMutation({
    mutationFn: COMMANDS[name],
    networkMode: 'always',
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['debuginfo'] }),
  });
}
