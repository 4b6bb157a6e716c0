/** Every binary that profiles name: whether its addresses have names, and if not, why. */
import { useCallback } from 'react';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { queryClient } from '../answers.ts';
import { ApiError } from '../api.ts';
import { useLastGood } from '../explore/explore-answers.ts';
import { navigate } from '../navigation.ts';
import { useKey } from '../parts/keys.ts';
import { ErrorState, StaleBanner } from '../states/states.tsx';
import type { Theme } from '../theme.ts';
import { type SymbolsState, writeSymbols } from '../url-state.ts';
import { readRows } from './binary-rows.ts';
import { NoBinaries } from './no-binaries.tsx';
import { useSymbolsAnswers } from './symbols-answers.ts';
import { SymbolsBar } from './symbols-bar.tsx';
import { SymbolsPanes, SymbolsSkeleton } from './symbols-panes.tsx';
import type { ChangeSymbols } from './symbols-props.ts';

export interface SymbolsProps {
  state: SymbolsState;
  types: readonly ProfileTypeJson[];
  theme: Theme;
}

export function Symbols({ state, types, theme }: SymbolsProps) {
  const answers = useSymbolsAnswers(state, types);
  const { selected, debuginfo, clock } = answers;
  const change = useCallback<ChangeSymbols>(
    (part, mode = 'push') => navigate('debuginfo', writeSymbols({ ...state, ...part }), mode),
    [state],
  );
  const refresh = () => {
    clock.tick();
    void queryClient.invalidateQueries({ refetchType: 'active' });
  };
  useKey('r', refresh);
  const answer = useLastGood(selected.query, debuginfo.data);
  const { error } = debuginfo;
  const transient = error instanceof ApiError && error.transient;
  const fatal = error !== null && !(answer !== undefined && transient);
  const rows = answers.rows ?? (answer === undefined ? null : readRows(answer));
  return (
    <>
      <SymbolsBar {...{ state, types, answers, error, change, refresh }} />
      {fatal ? (
        <ErrorState
          error={error}
          query={selected.query}
          onRetry={refresh}
          onEdit={() => document.querySelector<HTMLElement>('.query .chip button')?.focus()}
        />
      ) : null}
      {!fatal && answer === undefined ? <SymbolsSkeleton /> : null}
      {!fatal && answer !== undefined && rows?.length === 0 ? (
        <NoBinaries {...{ state, answers, answer, change }} />
      ) : null}
      {!fatal && answer !== undefined && rows !== null && rows.length > 0 ? (
        <>
          {error === null ? null : <StaleBanner error={error} onRetry={refresh} />}
          <SymbolsPanes {...{ state, answers, answer, rows, theme, change }} />
        </>
      ) : null}
    </>
  );
}
