/** One selection of profiles: over time, by label, as a flame graph and as a table. */
import { useCallback, useState } from 'react';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { queryClient } from '../answers.ts';
import { ApiError } from '../api.ts';
import { navigate } from '../navigation.ts';
import { useKey } from '../parts/keys.ts';
import { ErrorState, StaleBanner } from '../states/states.tsx';
import type { Theme } from '../theme.ts';
import { absoluteRange, type Range, type RangeText } from '../time.ts';
import { type ExploreState, writeExplore } from '../url-state.ts';
import { useExploreAnswers, useLastGood } from './explore-answers.ts';
import { ExplorePanes } from './explore-panes.tsx';
import type { ChangeState } from './explore-props.ts';
import { NoMatch } from './no-match.tsx';
import { QueryBar } from './query-bar.tsx';

export interface ExploreProps {
  state: ExploreState;
  types: readonly ProfileTypeJson[];
  theme: Theme;
}

export function Explore({ state, types, theme }: ExploreProps) {
  const answers = useExploreAnswers(state, types);
  const { selected, flame, range } = answers;
  const change = useCallback<ChangeState>(
    (part, mode = 'push') => navigate('explore', writeExplore({ ...state, ...part }), mode),
    [state],
  );
  const loaded = useLastGood(selected.query, flame.data);
  const refresh = () => {
    answers.clock.tick();
    void queryClient.invalidateQueries({ refetchType: 'active' });
  };
  useKey('r', refresh);
  // A selected part fixes the range: it would otherwise run away from under the selection.
  const [before, setBefore] = useState<RangeText | null>(null);
  const onBrush = useCallback(
    (brush: Range | null) => {
      if (brush !== null && answers.relative) setBefore(state.range);
      change({ brush, range: brush === null ? (before ?? state.range) : absoluteRange(range) });
    },
    [change, range, answers.relative, state.range, before],
  );
  const error = flame.error ?? answers.series.error;
  const fatal = error !== null && !(loaded !== undefined && isTransient(error));
  const empty =
    flame.data !== undefined &&
    !flame.isPlaceholderData &&
    flame.data.view.graph.meta.totalBeforeFilters === 0;
  return (
    <>
      <QueryBar
        state={state}
        types={types}
        answers={answers}
        error={error}
        change={change}
        refresh={refresh}
      />
      {fatal ? (
        <ErrorState
          error={error}
          query={selected.query}
          onRetry={refresh}
          onEdit={() => document.querySelector<HTMLElement>('.query .chip button')?.focus()}
        />
      ) : null}
      {!fatal && empty ? <NoMatch state={state} answers={answers} change={change} /> : null}
      {!fatal && !empty ? (
        <>
          {error === null ? null : <StaleBanner error={error} onRetry={refresh} />}
          <ExplorePanes
            state={state}
            answers={answers}
            loaded={loaded}
            theme={theme}
            change={change}
            onBrush={onBrush}
          />
        </>
      ) : null}
    </>
  );
}

function isTransient(error: Error): boolean {
  return error instanceof ApiError && error.transient;
}
