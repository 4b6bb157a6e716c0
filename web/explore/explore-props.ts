/** What every part of Explore is given. */
import type { LoadedView } from '../flame/worker-client.ts';
import type { Theme } from '../theme.ts';
import type { Range } from '../time.ts';
import type { ExploreState } from '../url-state.ts';
import type { ExploreAnswers } from './explore-answers.ts';

/** Changes the page's state; `replace` leaves no step for the Back button. */
export type ChangeState = (change: Partial<ExploreState>, mode?: 'push' | 'replace') => void;

export interface ExplorePanesProps {
  state: ExploreState;
  answers: ExploreAnswers;
  loaded: LoadedView | undefined;
  theme: Theme;
  change: ChangeState;
  onBrush: (brush: Range | null) => void;
}
