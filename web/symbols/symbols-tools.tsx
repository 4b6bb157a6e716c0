/** Above the list: the search, the filters, the columns, and what it all comes to. */
import { type ReactNode, useEffect, useRef } from 'react';
import { formatCount } from '../../profile/format-value.ts';
import { formatShare } from '../format.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import { isTyping } from '../parts/keys.ts';
import { capitalize, wordsOfReason } from '../parts/reason-words.ts';
import { BINARY_COLUMNS, type BinaryFilter } from '../url-state.ts';
import { COLUMN_TITLES } from './binary-columns.tsx';
import { countBy, listedRows, STATES, sumReasons } from './binary-rows.ts';
import type { SymbolsPanesProps } from './symbols-props.ts';

const FILTERS: readonly BinaryFilter[] = [
  '',
  'known',
  'unnamed',
  'absent',
  'failed',
  'receiving',
  'converting',
  'ready',
];

function filterTitle(filter: BinaryFilter, narrowed: boolean): string {
  if (filter === '') return narrowed ? 'Binaries of this query' : 'All binaries';
  if (filter === 'known') return 'All known binaries';
  return filter === 'unnamed' ? 'With frames without names' : STATES[filter];
}

export interface SymbolsToolsProps extends SymbolsPanesProps {
  summary: ReactNode;
}

export function SymbolsTools(props: SymbolsToolsProps) {
  const { state, change, summary } = props;
  return (
    <div className="bar tool">
      <FindField value={state.find} onChange={(find) => change({ find }, 'replace')} />
      <FilterMenu {...props} />
      <span className="wide columns">
        <ColumnsMenu {...props} />
      </span>
      <span className="small soft push clip summary" aria-live="polite">
        {summary}
      </span>
    </div>
  );
}

function FindField({ value, onChange }: { value: string; onChange: (value: string) => void }) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (event.key !== '/' || isTyping(event)) return;
      input.current?.focus();
      input.current?.select();
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <label className="field find">
      <span className="sr">Search binaries by name, build id or source</span>
      <input
        ref={input}
        type="search"
        placeholder="Search binaries"
        autoComplete="off"
        spellCheck={false}
        value={value}
        onChange={(event) => onChange(event.target.value)}
        onKeyDown={(event) => {
          if (event.key !== 'Escape') return;
          onChange('');
          event.currentTarget.blur();
        }}
      />
      {value === '' ? <kbd className="wide">/</kbd> : null}
    </label>
  );
}

/** States and reasons in one menu: a choice of either replaces the other. */
function FilterMenu({ state, answers, answer, rows, change }: SymbolsToolsProps) {
  const narrowed = answers.selected.matchers.length > 0;
  const title =
    state.reason === '' ? filterTitle(state.filter, narrowed) : wordsOfReason(state.reason).title;
  const named = listedRows(rows, narrowed, '');
  return (
    <Dropdown className="fill filter" hint="Show: " label={title}>
      {(close) => {
        const choose = (filter: BinaryFilter, reason: string) => {
          change({ filter, reason });
          close();
        };
        return (
          <Items>
            {FILTERS.map((filter) => {
              const count = countBy(filter === 'known' ? rows : named, filter);
              if (filter === 'known' && count === named.length && filter !== state.filter) {
                return null;
              }
              if (count === 0 && filter !== '' && filter !== state.filter) return null;
              return (
                <Item
                  key={filter}
                  checked={state.reason === '' && filter === state.filter}
                  onClick={() => choose(filter, '')}
                >
                  {filterTitle(filter, narrowed)}
                  <span className="push quiet">{formatCount(count)}</span>
                </Item>
              );
            })}
            {sumReasons(rows).map(([reason, weight], index) => (
              <div key={reason} className={index === 0 ? 'group' : undefined}>
                {index === 0 ? <div className="tiny quiet">No names because</div> : null}
                <Item checked={state.reason === reason} onClick={() => choose('', reason)}>
                  {wordsOfReason(reason).title}
                  <span className="push quiet">{formatShare(weight / (answer.total || 1))}</span>
                </Item>
              </div>
            ))}
          </Items>
        );
      }}
    </Dropdown>
  );
}

function ColumnsMenu({ state, change }: SymbolsPanesProps) {
  return (
    <Dropdown label="Columns">
      {() =>
        BINARY_COLUMNS.map((column) => (
          <label key={column} className="item">
            <input
              type="checkbox"
              checked={!state.hidden.includes(column)}
              onChange={(event) => {
                const hidden = state.hidden.filter((other) => other !== column);
                if (!event.target.checked) hidden.push(column);
                change({ hidden: BINARY_COLUMNS.filter((c) => hidden.includes(c)) }, 'replace');
              }}
            />
            {capitalize(COLUMN_TITLES[column])}
          </label>
        ))
      }
    </Dropdown>
  );
}
