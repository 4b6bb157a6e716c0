/** The search above a graph: `/` focuses it, Esc clears it, the matched share stands beside it. */
import { useEffect, useRef } from 'react';
import { formatShare } from '../format.ts';
import { isTyping } from '../parts/keys.ts';

export interface SearchFieldProps {
  value: string;
  onChange: (value: string) => void;
  found: { functions: number; share: number; literal: boolean; whole: string } | null;
}

export function SearchField({ value, onChange, found }: SearchFieldProps) {
  const input = useRef<HTMLInputElement>(null);
  useEffect(() => {
    const onKey = (event: globalThis.KeyboardEvent) => {
      if (event.key !== '/' || isTyping(event)) return;
      input.current?.focus();
      input.current?.select();
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  }, []);
  return (
    <>
      <label className="field find">
        <span className="sr">Search functions, regular expression</span>
        <input
          ref={input}
          type="search"
          placeholder="Search functions"
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
      <span className="small soft found" aria-live="polite">
        {found === null ? '' : describeFound(found)}
      </span>
    </>
  );
}

function describeFound(found: NonNullable<SearchFieldProps['found']>): string {
  const { functions, share, literal, whole } = found;
  const count = `${functions} function${functions === 1 ? '' : 's'}`;
  const text = `${count}, ${formatShare(share)} of ${whole}`;
  return literal ? `${text}; no regular expression, searched as plain text` : text;
}
