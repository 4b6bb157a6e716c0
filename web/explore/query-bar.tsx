/** What is asked for, and what can be done with the answer. */
import type { ProfileTypeJson } from '../../wire/http.ts';
import { ApiError, apiUrl } from '../api.ts';
import { compareWithPrevious } from '../compare/presets.ts';
import { choiceOf, useNameStyle } from '../flame/name-style.ts';
import { hrefOf, navigate } from '../navigation.ts';
import { Dropdown } from '../parts/dropdown.tsx';
import { LiveButton } from '../parts/live-button.tsx';
import { Matchers } from '../query/matchers.tsx';
import { RangeMenu } from '../query/range-menu.tsx';
import { matcherAt, writeQuery } from '../query/selected.ts';
import { TypeMenu } from '../query/type-menu.tsx';
import { CopyButton } from '../states/states.tsx';
import { type ExploreState, writeCompare, writeExplore } from '../url-state.ts';
import type { ExploreAnswers } from './explore-answers.ts';
import type { ChangeState } from './explore-props.ts';

export interface QueryBarProps {
  state: ExploreState;
  types: readonly ProfileTypeJson[];
  answers: ExploreAnswers;
  error: Error | null;
  change: ChangeState;
  refresh: () => void;
}

export function QueryBar({ state, types, answers, error, change, refresh }: QueryBarProps) {
  const { selected, clock, range, shown } = answers;
  const names = choiceOf(useNameStyle(state.names));
  const { type, matchers } = selected;
  const compare = writeCompare(
    compareWithPrevious(selected.query, state.range, shown, state.brush),
  );
  return (
    <search className="bar query" aria-label="Query">
      <TypeMenu
        types={types}
        type={type}
        onChange={(next) => change({ query: writeQuery(next, matchers), zoom: '', select: '' })}
      />
      <Matchers
        matchers={matchers}
        faulty={faultyMatcher(error, answers)}
        selection={type === null ? null : { query: writeQuery(type, []), range }}
        onChange={(next) => change({ query: writeQuery(type, next) })}
      />
      <span className="push" />
      <RangeMenu
        range={state.range}
        nowMs={clock.nowMs}
        onChange={(next) => change({ range: next, brush: null, paused: false })}
      />
      <LiveButton
        relative={answers.relative}
        live={answers.live}
        onToggle={() => change({ paused: !state.paused }, 'replace')}
      />
      <button type="button" className="btn wide" onClick={refresh}>
        Refresh
      </button>
      <a
        className="btn wide"
        href={hrefOf('compare', compare)}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          navigate('compare', compare);
        }}
      >
        Compare
      </a>
      <span className="wide">
        <CopyButton text={shareUrl({ ...state, names }, answers)} label="Share" />
      </span>
      <ExportMenu answers={answers} />
    </search>
  );
}

/** The page with its times fixed, so that the reader of the link sees what its sender saw. */
function shareUrl(state: ExploreState, { range }: ExploreAnswers): string {
  const fixed = { from: String(range.fromMs), to: String(range.toMs) };
  const params = writeExplore({ ...state, range: fixed });
  return new URL(hrefOf('explore', params), location.href).href;
}

function faultyMatcher(error: Error | null, { selected }: ExploreAnswers): number {
  if (!(error instanceof ApiError) || error.problem.position === undefined) return -1;
  return matcherAt(selected.type, selected.matchers, error.problem.position);
}

const EXPORTS: readonly { format: string; title: string; file: string }[] = [
  { format: 'pprof', title: 'pprof', file: 'profile.pb.gz' },
  { format: 'folded', title: 'Folded stacks', file: 'profile.folded' },
  { format: 'json', title: 'JSON', file: 'profile.json' },
];

function ExportMenu({ answers }: { answers: ExploreAnswers }) {
  const { part } = answers;
  if (part === null) return null;
  const { query, range } = part;
  return (
    <span className="wide">
      <Dropdown label="Export" align="end">
        {(close) =>
          EXPORTS.map(({ format, title, file }) => (
            <a
              key={format}
              className="item"
              href={apiUrl('merge', { query, from: range.fromMs, to: range.toMs, format })}
              download={file}
              onClick={close}
            >
              {title}
            </a>
          ))
        }
      </Dropdown>
    </span>
  );
}
