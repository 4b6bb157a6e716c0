/** What every part of Compare is given. */
import type { LoadedView } from '../flame/worker-client.ts';
import type { Theme } from '../theme.ts';
import type { CompareState } from '../url-state.ts';
import type { CompareAnswers } from './compare-answers.ts';

/** Changes the page's state; `replace` leaves no step for the Back button. */
export type ChangeCompare = (change: Partial<CompareState>, mode?: 'push' | 'replace') => void;

export interface ComparePanesProps {
  state: CompareState;
  answers: CompareAnswers;
  loaded: LoadedView | undefined;
  theme: Theme;
  change: ChangeCompare;
}
