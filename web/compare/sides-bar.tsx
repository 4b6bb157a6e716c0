/** The two queries, one below the other, and what lies between them. */
import type { Matcher } from '../../profile/select/selector.ts';
import type { ProfileTypeJson } from '../../wire/http.ts';
import { ApiError } from '../api.ts';
import { choiceOf, useNameStyle } from '../flame/name-style.ts';
import type { LoadedView } from '../flame/worker-client.ts';
import { hrefOf } from '../navigation.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import { Matchers } from '../query/matchers.tsx';
import { RangeMenu } from '../query/range-menu.tsx';
import { matcherAt, writeQuery } from '../query/selected.ts';
import { TypeMenu } from '../query/type-menu.tsx';
import { CopyButton } from '../states/states.tsx';
import { absoluteRange } from '../time.ts';
import { type CompareState, writeCompare } from '../url-state.ts';
import { averagesOf, type CompareAnswers } from './compare-answers.ts';
import type { ChangeCompare } from './compare-props.ts';
import { COMPARE_PRESETS, presetRange } from './presets.ts';

export interface SidesBarProps {
  state: CompareState;
  types: readonly ProfileTypeJson[];
  answers: CompareAnswers;
  loaded: LoadedView | undefined;
  error: Error | null;
  change: ChangeCompare;
  refresh: () => void;
}

export function SidesBar(props: SidesBarProps) {
  const { state, answers, change, refresh } = props;
  const names = choiceOf(useNameStyle(state.names));
  const link = hrefOf('compare', writeCompare({ ...state, names }));
  return (
    <search className="sides compare" aria-label="The two queries">
      <SideRow {...props} side="a" />
      <SideRow {...props} side="b" />
      <div className="between">
        <Dropdown className="fill" label="Against">
          {(close) => (
            <Items>
              {COMPARE_PRESETS.map(({ name, title }) => (
                <Item
                  key={name}
                  onClick={() => {
                    const range = absoluteRange(presetRange(name, answers.b.range));
                    const b = { ...state.b, range: absoluteRange(answers.b.range) };
                    change({ a: { query: state.b.query, range }, b });
                    close();
                  }}
                >
                  {title}
                </Item>
              ))}
            </Items>
          )}
        </Dropdown>
        <button
          type="button"
          className="btn"
          onClick={() => change({ a: state.b, b: state.a, zoom: '', select: '' })}
        >
          Swap
        </button>
        <button type="button" className="btn" onClick={refresh}>
          Refresh
        </button>
        <CopyButton text={new URL(link, location.href).href} label="Share" />
      </div>
    </search>
  );
}

function SideRow(props: SidesBarProps & { side: 'a' | 'b' }) {
  const { side, state, types, answers, loaded, error, change } = props;
  const { selected, range } = answers[side];
  const { type, matchers, quantity } = selected;
  const letter = side.toUpperCase();
  const set = (next: readonly Matcher[]) =>
    change({ [side]: { ...state[side], query: writeQuery(type, next) } });
  const average =
    loaded === undefined || quantity === null
      ? null
      : averagesOf(loaded.view.graph, quantity.gauge)[side];
  return (
    // biome-ignore lint/a11y/useSemanticElements: a fieldset cannot lend its children to the grid.
    <div className="side-row" role="group" aria-label={`Side ${letter}`}>
      <span className={`side ${letter}`}>{letter}</span>
      <TypeMenu
        types={types}
        type={type}
        onChange={(next) =>
          change({
            a: { ...state.a, query: writeQuery(next, answers.a.selected.matchers) },
            b: { ...state.b, query: writeQuery(next, answers.b.selected.matchers) },
            zoom: '',
            select: '',
          })
        }
      />
      <Matchers
        matchers={matchers}
        faulty={faultyMatcher(error, answers, side)}
        selection={type === null ? null : { query: writeQuery(type, []), range }}
        onChange={set}
      />
      <RangeMenu
        range={state[side].range}
        nowMs={answers.clock.nowMs}
        onChange={(next) => change({ [side]: { ...state[side], range: next } })}
      />
      <span className="sum">
        {average === null || quantity === null ? null : (
          <>
            <strong>{quantity.formatAverage(average)}</strong>{' '}
            <span className="soft">{quantity.averageUnit}</span>
          </>
        )}
      </span>
    </div>
  );
}

function faultyMatcher(error: Error | null, answers: CompareAnswers, side: 'a' | 'b'): number {
  if (!(error instanceof ApiError)) return -1;
  const { parameter, position } = error.problem;
  if (position === undefined || parameter !== `query_${side}`) return -1;
  const { type, matchers } = answers[side].selected;
  return matcherAt(type, matchers, position);
}
