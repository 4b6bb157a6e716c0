/** How frames are shown: the names of functions, on every page alike, and whether by line. */
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import type { NamesChoice } from '../url-state.ts';
import { choiceOf, type NameStyle, rememberNameStyle } from './name-style.ts';

const STYLES: readonly { style: NameStyle; title: string; example: string }[] = [
  { style: 'short', title: 'Short names', example: 'vector<…>::at' },
  { style: 'full', title: 'Full names', example: 'std::vector<int>::at(unsigned long)' },
  { style: 'raw', title: 'Raw names', example: '_ZNSt6vectorIiE2atEm' },
];

export interface NamesMenuProps {
  style: NameStyle;
  lines: boolean;
  onChange: (change: { names?: NamesChoice; lines?: boolean }) => void;
}

export function NamesMenu({ style, lines, onChange }: NamesMenuProps) {
  return (
    <Dropdown
      label={`${STYLES.find((entry) => entry.style === style)?.title}${lines ? ', by line' : ''}`}
      hint="Function names: "
      align="end"
    >
      {(close) => (
        <>
          <Items>
            {STYLES.map((entry) => (
              <Item
                key={entry.style}
                checked={entry.style === style}
                onClick={() => {
                  rememberNameStyle(entry.style);
                  onChange({ names: choiceOf(entry.style) });
                  close();
                }}
              >
                {entry.title}
                <code className="quiet tiny wide">{entry.example}</code>
              </Item>
            ))}
          </Items>
          <div className="group">
            <label className="item">
              <input
                type="checkbox"
                checked={lines}
                onChange={(event) => {
                  onChange({ lines: event.target.checked });
                  close();
                }}
              />
              A frame per line of a function
            </label>
          </div>
        </>
      )}
    </Dropdown>
  );
}
