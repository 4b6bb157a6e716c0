/** How functions' names are shown, on every page alike. */
import { Dropdown, Item } from '../parts/dropdown.tsx';
import type { NamesChoice } from '../url-state.ts';
import { choiceOf, type NameStyle, rememberNameStyle } from './name-style.ts';

const STYLES: readonly { style: NameStyle; title: string; example: string }[] = [
  { style: 'short', title: 'Short names', example: 'vector<…>::at' },
  { style: 'full', title: 'Full names', example: 'std::vector<int>::at(unsigned long)' },
  { style: 'raw', title: 'Raw names', example: '_ZNSt6vectorIiE2atEm' },
];

export interface NamesMenuProps {
  style: NameStyle;
  /** `replace`: how names look is no step of its own. */
  onChange: (names: NamesChoice) => void;
}

export function NamesMenu({ style, onChange }: NamesMenuProps) {
  return (
    <Dropdown
      label={STYLES.find((entry) => entry.style === style)?.title}
      hint="Function names: "
      align="end"
    >
      {(close) =>
        STYLES.map((entry) => (
          <Item
            key={entry.style}
            checked={entry.style === style}
            onClick={() => {
              rememberNameStyle(entry.style);
              onChange(choiceOf(entry.style));
              close();
            }}
          >
            {entry.title}
            <code className="quiet tiny wide">{entry.example}</code>
          </Item>
        ))
      }
    </Dropdown>
  );
}
