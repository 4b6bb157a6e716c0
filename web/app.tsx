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
import { type Theme, useTheme } from './theme.ts';
import { resolveRange } from './time.ts';
import {
  DEFAULT_EXPLORE,
  type PageName,
  readCompare,
  readExplore,
  writeCompare,
  writeExplore,
} from './url-state.ts';

export function App() {
  const place = usePlace();
  const theme = useTheme();
  useEffect(() => {
    document.title = place.page === 'compare' ? 'Compare · Everflame' : 'Explore · Everflame';
  }, [place.page]);
  return (
    <>
      <Chrome page={place.page} paramsOf={(page) => paramsOf(place, page)} theme={theme} />
      <Page place={place} theme={theme} />
    </>
  );
}

/** From Explore to Compare the selection is side B; on the way back side B is the selection. */
function paramsOf(place: Place, page: PageName): URLSearchParams {
  if (page === place.page) return place.params;
  if (place.page === 'explore') {
    const read = readExplore(place.params);
    if (read.kind !== 'state') return new URLSearchParams({ v: '1' });
    const { query, range, brush } = read.state;
    const shown = brush ?? resolveRange(range, Date.now());
    return writeCompare(compareWithPrevious(query, range, shown, brush));
  }
  const read = readCompare(place.params);
  if (read.kind !== 'state') return new URLSearchParams({ v: '1' });
  return writeExplore({ ...DEFAULT_EXPLORE, ...read.state.b });
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
