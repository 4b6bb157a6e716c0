/** The profile type, in words. */
import type { ProfileTypeJson } from '../../wire/http.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import { quantityOf } from '../quantity.ts';

export interface TypeMenuProps {
  types: readonly ProfileTypeJson[];
  type: ProfileTypeJson | null;
  onChange: (type: ProfileTypeJson) => void;
}

export function TypeMenu({ types, type, onChange }: TypeMenuProps) {
  const title = type === null ? 'Profile type' : quantityOf(type).title;
  return (
    <Dropdown className="fill type" hint="Profile type: " label={<strong>{title}</strong>}>
      {(close) => (
        <Items>
          {types.map((entry) => (
            <Item
              key={entry.type}
              checked={entry.type === type?.type}
              onClick={() => {
                onChange(entry);
                close();
              }}
            >
              {quantityOf(entry).title}
              <code className="quiet tiny">{entry.type}</code>
            </Item>
          ))}
        </Items>
      )}
    </Dropdown>
  );
}
