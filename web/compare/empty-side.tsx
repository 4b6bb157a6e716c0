/** One side of a comparison has no profiles: which one, and what else it could be. */
import type { LoadedView } from '../flame/worker-client.ts';
import { formatRange } from '../format.ts';
import { StatePage } from '../states/states.tsx';
import { absoluteRange } from '../time.ts';
import type { CompareState } from '../url-state.ts';
import type { CompareAnswers } from './compare-answers.ts';
import type { ChangeCompare } from './compare-props.ts';
import { COMPARE_PRESETS, coveredHalves, presetRange } from './presets.ts';

export type SideName = 'a' | 'b';

/** Sides without any weight. */
export function emptySides({ view }: LoadedView): SideName[] {
  const sides: SideName[] = [];
  if ((view.treeBase?.total[0] ?? 0) === 0) sides.push('a');
  if ((view.tree.total[0] ?? 0) === 0) sides.push('b');
  return sides;
}

export interface EmptySideProps {
  sides: readonly SideName[];
  state: CompareState;
  answers: CompareAnswers;
  change: ChangeCompare;
}

export function EmptySide({ sides, state, answers, change }: EmptySideProps) {
  const both = sides.length === 2;
  const only = sides[0] ?? 'a';
  const other = only === 'a' ? 'b' : 'a';
  const halves = coveredHalves(only === 'a' ? answers.seriesB.data : answers.seriesA.data);
  const same = state.a.query === state.b.query;
  return (
    <StatePage>
      <h1>{both ? 'Neither side has profiles' : <>No profiles in {only === 'a' ? 'A' : 'B'}</>}</h1>
      {sides.map((side) => {
        const { fromMs, toMs } = answers[side].range;
        return (
          <p key={side}>
            <strong className={side.toUpperCase()}>{side.toUpperCase()}</strong>:{' '}
            {formatRange(fromMs, toMs, answers.clock.nowMs)},{' '}
            <code>{answers[side].selected.query}</code>
          </p>
        );
      })}
      <ol className="ways">
        {both || halves === null ? null : (
          <li>
            <h3>The two halves of {other.toUpperCase()}</h3>
            <span>
              <button
                type="button"
                className="btn fill"
                onClick={() => {
                  const { query } = state[other];
                  change({
                    a: { query, range: absoluteRange(halves.a) },
                    b: { query, range: absoluteRange(halves.b) },
                  });
                }}
              >
                Compare them
              </button>
            </span>
          </li>
        )}
        {both || same ? null : (
          <li>
            <h3>The other side’s selector</h3>
            <span>
              <button
                type="button"
                className="btn fill"
                onClick={() => change({ [only]: { ...state[only], query: state[other].query } })}
              >
                Use it
              </button>
            </span>
          </li>
        )}
        {only === 'a'
          ? COMPARE_PRESETS.map(({ name, title }) => (
              <li key={name}>
                <h3>{title}</h3>
                <span>
                  <button
                    type="button"
                    className="btn fill"
                    onClick={() => {
                      const range = absoluteRange(presetRange(name, answers.b.range));
                      change({ a: { ...state.a, range } });
                    }}
                  >
                    Compare with it
                  </button>
                </span>
              </li>
            ))
          : null}
        <li>
          <h3>The last 24 hours</h3>
          <span>
            <button
              type="button"
              className="btn fill"
              onClick={() =>
                change({
                  a: { ...state.a, range: { from: 'now-48h', to: 'now-24h' } },
                  b: { ...state.b, range: { from: 'now-24h', to: 'now' } },
                })
              }
            >
              Against the 24 before
            </button>
          </span>
        </li>
      </ol>
    </StatePage>
  );
}
