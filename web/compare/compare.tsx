/** Two selections side by side: what grew, what shrank, and whether it is more than noise. */
import { useCallback } from 'react';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { queryClient } from '../answers.ts';
import { ApiError } from '../api.ts';
import { useLastGood } from '../explore/explore-answers.ts';
import { navigate } from '../navigation.ts';
import { useKey } from '../parts/keys.ts';
import { ErrorState, StaleBanner } from '../states/states.tsx';
import type { Theme } from '../theme.ts';
import { type CompareState, writeCompare } from '../url-state.ts';
import { useCompareAnswers } from './compare-answers.ts';
import { ComparePanes } from './compare-panes.tsx';
import type { ChangeCompare } from './compare-props.ts';
import { EmptySide, emptySides } from './empty-side.tsx';
import { SidesBar } from './sides-bar.tsx';

export interface CompareProps {
  state: CompareState;
  types: readonly ProfileTypeJson[];
  theme: Theme;
}

export function Compare({ state, types, theme }: CompareProps) {
  const answers = useCompareAnswers(state, types);
  const { a, b, diff, clock } = answers;
  const change = useCallback<ChangeCompare>(
    (part, mode = 'push') => navigate('compare', writeCompare({ ...state, ...part }), mode),
    [state],
  );
  const loaded = useLastGood(`${a.selected.query}\0${b.selected.query}`, diff.data);
  const refresh = () => {
    clock.tick();
    void queryClient.invalidateQueries({ refetchType: 'active' });
  };
  useKey('r', refresh);
  const { error } = diff;
  const transient = error instanceof ApiError && error.problem.status !== 0 && error.transient;
  const fatal = error !== null && !(transient && loaded !== undefined);
  const empty = diff.data && !diff.isPlaceholderData ? emptySides(diff.data) : [];
  const faultyQuery =
    error instanceof ApiError && error.problem.parameter === 'query_a'
      ? a.selected.query
      : b.selected.query;
  return (
    <>
      <SidesBar
        state={state}
        types={types}
        answers={answers}
        loaded={loaded}
        error={error}
        change={change}
        refresh={refresh}
      />
      {fatal ? (
        <ErrorState
          error={error}
          query={faultyQuery}
          onRetry={refresh}
          onEdit={() => document.querySelector<HTMLElement>('.sides .chip button')?.focus()}
        />
      ) : null}
      {!fatal && empty.length > 0 ? (
        <EmptySide sides={empty} state={state} answers={answers} change={change} />
      ) : null}
      {!fatal && empty.length === 0 ? (
        <>
          {error === null ? null : <StaleBanner error={error} onRetry={refresh} />}
          <ComparePanes
            state={state}
            answers={answers}
            loaded={loaded}
            theme={theme}
            change={change}
          />
        </>
      ) : null}
    </>
  );
}
