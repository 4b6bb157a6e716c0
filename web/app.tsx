/** Which page is shown, and what all share: the bar on top, the theme, the profile types. */
import { useEffect } from 'react';
import { useProfileTypes } from './answers.ts';
import { Compare } from './compare/compare.tsx';
import { compareWithPrevious } from './compare/presets.ts';
import { Explore } from './explore/explore.tsx';
import { formatClock } from './format.ts';
import { type Place, usePlace } from './navigation.ts';
import { Chrome } from './parts/chrome.tsx';
import { EmptyState, ErrorState, VersionState } from './states/states.tsx';
import { Symbols } from './symbols/symbols.tsx';
import { type Theme, useTheme } from './theme.ts';
import { absoluteRange, resolveRange } from './time.ts';
import {
  DEFAULT_EXPLORE,
  DEFAULT_SYMBOLS,
  type ExploreState,
  type PageName,
  readCompare,
  readExplore,
  readSymbols,
  writeCompare,
  writeExplore,
  writeSymbols,
} from './url-state.ts';

const PAGE_TITLES: Record<PageName, string> = {
  explore: 'Explore',
  compare: 'Compare',
  debuginfo: 'Symbols',
};

export function App() {
  const place = usePlace();
  const theme = useTheme();
  useEffect(() => {
    document.title = `${PAGE_TITLES[place.page]} · Everflame`;
  }, [place.page]);
  return (
    <>
      <Chrome page={place.page} paramsOf={(page) => paramsOf(place, page)} theme={theme} />
      <Page place={place} theme={theme} />
    </>
  );
}

/** From one page to another the selection goes along; to Compare it is side B, with its past. */
function paramsOf(place: Place, page: PageName): URLSearchParams {
  if (page === place.page) return place.params;
  const read = readSelection(place);
  if (read === null) return new URLSearchParams({ v: '1' });
  const { query, range, brush, names, lines } = read;
  if (page === 'explore') {
    return writeExplore({ ...DEFAULT_EXPLORE, query, range, brush, names, lines });
  }
  if (page === 'debuginfo') {
    const shown = brush === null ? range : absoluteRange(brush);
    return writeSymbols({ ...DEFAULT_SYMBOLS, query, range: shown });
  }
  const shown = brush ?? resolveRange(range, Date.now());
  return writeCompare({ ...compareWithPrevious(query, range, shown, brush), names, lines });
}

/** What the shown page is about; null where its link cannot be read. */
function readSelection(
  place: Place,
): Pick<ExploreState, 'query' | 'range' | 'brush' | 'names' | 'lines'> | null {
  if (place.page === 'compare') {
    const read = readCompare(place.params);
    return read.kind === 'state' ? { ...read.state, ...read.state.b, brush: null } : null;
  }
  if (place.page === 'debuginfo') {
    const read = readSymbols(place.params);
    return read.kind === 'state' ? { ...read.state, brush: null, names: '', lines: false } : null;
  }
  const read = readExplore(place.params);
  return read.kind === 'state' ? read.state : null;
}

function Page({ place, theme }: { place: Place; theme: Theme }) {
  const types = useProfileTypes();
  const known = types.data?.profile_types;
  if (known === undefined) {
    if (types.error === null) return <main className="state" aria-busy="true" />;
    return (
      <ErrorState error={types.error} query="" onRetry={() => void types.refetch()} onEdit={null} />
    );
  }
  if (place.page === 'debuginfo') {
    const read = readSymbols(place.params);
    if (read.kind === 'unknown-version') return <VersionState version={read.version} />;
    return <Symbols state={read.state} types={known} theme={theme} />;
  }
  if (known.length === 0) return <EmptyState lookedAt={formatClock(types.dataUpdatedAt, true)} />;
  if (place.page === 'compare') {
    const read = readCompare(place.params);
    if (read.kind === 'unknown-version') return <VersionState version={read.version} />;
    return <Compare state={read.state} types={known} theme={theme} />;
  }
  const read = readExplore(place.params);
  if (read.kind === 'unknown-version') return <VersionState version={read.version} />;
  return <Explore state={read.state} types={known} theme={theme} />;
}
