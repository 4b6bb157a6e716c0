/** A link to the page of symbols, about the same profiles. */
import type { ReactNode } from 'react';
import { hrefOf, navigate } from '../navigation.ts';
import type { RangeText } from '../time.ts';
import { DEFAULT_SYMBOLS, type SymbolsState, writeSymbols } from '../url-state.ts';

/** The profiles that a page or a side of it is about. */
export interface SymbolsPlace {
  query: string;
  range: RangeText;
}

export interface SymbolsLinkProps {
  place: SymbolsPlace;
  /** What else the page opens with: a reason, a chosen binary. */
  show?: Partial<SymbolsState>;
  className?: string;
  children: ReactNode;
}

export function SymbolsLink({ place, show, className, children }: SymbolsLinkProps) {
  const { query, range } = place;
  const params = writeSymbols({ ...DEFAULT_SYMBOLS, query, range, ...show });
  return (
    <a
      className={className}
      href={hrefOf('debuginfo', params)}
      onClick={(event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return;
        event.preventDefault();
        navigate('debuginfo', params);
      }}
    >
      {children}
    </a>
  );
}
