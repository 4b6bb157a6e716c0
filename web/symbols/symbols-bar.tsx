/** Whose frames the weights are of: the same query as on the other pages. */
import type { ProfileTypeJson } from '../../wire/http.ts';
import { ApiError } from '../api.ts';
import { hrefOf } from '../navigation.ts';
import { LiveButton } from '../parts/live-button.tsx';
import { Matchers } from '../query/matchers.tsx';
import { RangeMenu } from '../query/range-menu.tsx';
import { matcherAt, writeQuery } from '../query/selected.ts';
import { TypeMenu } from '../query/type-menu.tsx';
import { CopyButton } from '../states/states.tsx';
import { absoluteRange } from '../time.ts';
import { type SymbolsState, writeSymbols } from '../url-state.ts';
import type { SymbolsAnswers } from './symbols-answers.ts';
import type { ChangeSymbols } from './symbols-props.ts';

export interface SymbolsBarProps {
  state: SymbolsState;
  types: readonly ProfileTypeJson[];
  answers: SymbolsAnswers;
  error: Error | null;
  change: ChangeSymbols;
  refresh: () => void;
}

export function SymbolsBar({ state, types, answers, error, change, refresh }: SymbolsBarProps) {
  const { selected, clock, range } = answers;
  const { type, matchers } = selected;
  const position = error instanceof ApiError ? error.problem.position : undefined;
  return (
    <search className="bar query" aria-label="Query">
      {types.length === 0 ? null : (
        <TypeMenu
          types={types}
          type={type}
          onChange={(next) => change({ query: writeQuery(next, matchers) })}
        />
      )}
      <Matchers
        matchers={matchers}
        faulty={position === undefined ? -1 : matcherAt(type, matchers, position)}
        selection={type === null ? null : { query: writeQuery(type, []), range }}
        onChange={(next) => change({ query: writeQuery(type, next) })}
      />
      <span className="push" />
      <RangeMenu
        range={state.range}
        nowMs={clock.nowMs}
        onChange={(next) => change({ range: next, paused: false })}
      />
      <LiveButton
        relative={answers.relative}
        live={answers.live}
        onToggle={() => change({ paused: !state.paused }, 'replace')}
      />
      <button type="button" className="btn wide" onClick={refresh}>
        Refresh
      </button>
      <span className="wide">
        <CopyButton
          text={
            new URL(
              hrefOf('debuginfo', writeSymbols({ ...state, range: absoluteRange(range) })),
              location.href,
            ).href
          }
          label="Share"
        />
      </span>
    </search>
  );
}
