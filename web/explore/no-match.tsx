/** The selector and the range have no profiles together: which one to give up. */
import { useSeries } from '../answers.ts';
import { formatCounted, formatSpan } from '../format.ts';
import { writeQuery } from '../query/selected.ts';
import { StatePage } from '../states/states.tsx';
import type { Range } from '../time.ts';
import type { ExploreState } from '../url-state.ts';
import type { ExploreAnswers } from './explore-answers.ts';
import type { ChangeState } from './explore-props.ts';

const DAY_MS = 86_400_000;

export interface NoMatchProps {
  state: ExploreState;
  answers: ExploreAnswers;
  change: ChangeState;
}

export function NoMatch({ state, answers, change }: NoMatchProps) {
  const { selected, shown } = answers;
  const { type, matchers } = selected;
  const back: Range = { fromMs: shown.toMs - DAY_MS, toMs: shown.toMs };
  const longer = shown.toMs - shown.fromMs < DAY_MS;
  return (
    <StatePage>
      <h1>No profiles match</h1>
      <p>
        Between these times ({formatSpan(shown.toMs - shown.fromMs)}) no profile of{' '}
        <code>{selected.query}</code> was stored.
      </p>
      <ol className="ways">
        {matchers.map((matcher, index) => {
          const query = writeQuery(
            type,
            matchers.filter((_, at) => at !== index),
          );
          return (
            <Offer
              // biome-ignore lint/suspicious/noArrayIndexKey: equal ones may stand side by side.
              key={index}
              title={`Without ${matcher.name} ${matcher.op} ${matcher.value}`}
              query={query}
              range={shown}
              action="Remove it"
              onTake={() => change({ query })}
            />
          );
        })}
        {longer ? (
          <Offer
            title="The last 24 hours"
            query={selected.query}
            range={back}
            action="Go there"
            onTake={() => change({ range: { from: 'now-24h', to: 'now' }, brush: null })}
          />
        ) : null}
        {state.brush === null ? null : (
          <Offer
            title="The whole time range"
            query={selected.query}
            range={answers.range}
            action="Show it"
            onTake={() => change({ brush: null })}
          />
        )}
      </ol>
    </StatePage>
  );
}

interface OfferProps {
  title: string;
  query: string;
  range: Range;
  action: string;
  onTake: () => void;
}

function Offer({ title, query, range, action, onTake }: OfferProps) {
  const series = useSeries({ query, range }, { stepMs: range.toMs - range.fromMs, limit: 1 });
  const { data, error } = series;
  const profiles = data?.quality.series.profiles ?? 0;
  return (
    <li>
      <h3>{title}</h3>
      <span>
        {error ? error.message : data ? formatCounted(profiles, 'profile') : 'Looking …'}{' '}
        {profiles > 0 ? (
          <button type="button" className="btn fill" onClick={onTake}>
            {action}
          </button>
        ) : null}
      </span>
    </li>
  );
}
