/** What every part of the page of symbols is given. */
import type { DebuginfoJson } from '../../wire/http.ts';
import type { Theme } from '../theme.ts';
import type { SymbolsState } from '../url-state.ts';
import type { BinaryRow } from './binary-rows.ts';
import type { SymbolsAnswers } from './symbols-answers.ts';

/** Changes the page's state; `replace` leaves no step for the Back button. */
export type ChangeSymbols = (change: Partial<SymbolsState>, mode?: 'push' | 'replace') => void;

export interface SymbolsPanesProps {
  state: SymbolsState;
  answers: SymbolsAnswers;
  answer: DebuginfoJson;
  rows: readonly BinaryRow[];
  theme: Theme;
  change: ChangeSymbols;
}
