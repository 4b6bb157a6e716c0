/** Nothing to list: no profile of the selection has native code, and nobody sent symbols. */
import type { DebuginfoJson } from '../../wire/http.ts';
import { formatSpan } from '../format.ts';
import { writeQuery } from '../query/selected.ts';
import { StatePage } from '../states/states.tsx';
import type { SymbolsState } from '../url-state.ts';
import type { SymbolsAnswers } from './symbols-answers.ts';
import type { ChangeSymbols } from './symbols-props.ts';
import { UploadCommand } from './upload-command.tsx';

const DAY_MS = 86_400_000;

export interface NoBinariesProps {
  state: SymbolsState;
  answers: SymbolsAnswers;
  answer: DebuginfoJson;
  change: ChangeSymbols;
}

export function NoBinaries({ answers, answer, change }: NoBinariesProps) {
  const { selected, range } = answers;
  const spanMs = range.toMs - range.fromMs;
  return (
    <StatePage>
      <h1>No binaries</h1>
      <p>
        {answer.total > 0
          ? 'The profiles of this query name no native binary: their writers named all functions themselves.'
          : `No profile of this query was stored in these ${formatSpan(spanMs)}, and this server has no symbols.`}
      </p>
      <ol className="ways">
        {selected.matchers.length === 0 ? null : (
          <li>
            <h3>Without the labels</h3>
            <span>
              <button
                type="button"
                className="btn fill"
                onClick={() => change({ query: writeQuery(selected.type, []) })}
              >
                Remove them
              </button>
            </span>
          </li>
        )}
        {spanMs >= DAY_MS ? null : (
          <li>
            <h3>The last 24 hours</h3>
            <span>
              <button
                type="button"
                className="btn fill"
                onClick={() => change({ range: { from: 'now-24h', to: 'now' } })}
              >
                Go there
              </button>
            </span>
          </li>
        )}
        <li>
          <h3>From a build</h3>
          <UploadCommand file="FILE" />
        </li>
      </ol>
    </StatePage>
  );
}
