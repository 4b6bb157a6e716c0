/** What a page derives once from an answer and the theme: texts, colours, the search's matches. */
import { useQuery } from '@tanstack/react-query';
import { useMemo } from 'react';
import { NodeFlag } from '../../profile/flame/flame-graph.ts';
import { FrameKind } from '../../profile/flame/frame.ts';
import { useDelayed } from '../parts/hooks.ts';
import { resolvePath } from './flame-keys.ts';
import type { FrameStyle } from './flame-paint.ts';
import type { SearchResult } from './frame-search.ts';
import { createFrameTexts, type FrameTexts, weighBinaries } from './frame-texts.ts';
import type { NameStyle } from './name-style.ts';
import { assignSlots, createPalette, type Palette } from './palette.ts';
import { type PaintTokens, readTokens } from './theme-tokens.ts';
import { type LoadedView, searchView } from './worker-client.ts';

export interface FlameModel {
  /** Whether any frame was inlined, or has no name: the legend explains only what is there. */
  hasInlined: boolean;
  hasUnnamed: boolean;
  loaded: LoadedView;
  texts: FrameTexts;
  tokens: PaintTokens;
  palette: Palette;
  /** Own weight per binary in counts, heaviest first. */
  binaries: readonly [binary: string, weight: number][];
}

/** Colours hold while the page is open, whatever weighs most at the moment. */
const keptSlots = new Map<string, number>();

export function useFlameModel(
  loaded: LoadedView | undefined,
  dark: boolean,
  names: NameStyle,
): FlameModel | null {
  const tokens = useMemo(() => readTokens(dark), [dark]);
  const model = useMemo(() => {
    if (loaded === undefined) return null;
    const texts = createFrameTexts(loaded.view.graph, names);
    const weights = weighBinaries(loaded.view.frameSelf, texts);
    const binaries = [...weights].sort((p, q) => q[1] - p[1]);
    const { flags, frames } = loaded.view.graph;
    const hasInlined = flags.some((bits) => (bits & NodeFlag.inlined) !== 0);
    const hasUnnamed = frames.reason.some((row) => row !== 0);
    return { loaded, texts, binaries, slots: keepSlots(weights), hasInlined, hasUnnamed };
  }, [loaded, names]);
  return useMemo(
    () =>
      model === null
        ? null
        : { ...model, tokens, palette: createPalette(tokens.flame, model.slots) },
    [model, tokens],
  );
}

/** The same hues for binaries outside a graph, so that one has its colour on every page. */
export function useBinaryPalette(weights: ReadonlyMap<string, number>, dark: boolean): Palette {
  const tokens = useMemo(() => readTokens(dark), [dark]);
  return useMemo(() => createPalette(tokens.flame, keepSlots(weights)), [weights, tokens]);
}

function keepSlots(weights: ReadonlyMap<string, number>): Map<string, number> {
  const slots = assignSlots(weights, keptSlots);
  for (const [binary, slot] of slots) keptSlots.set(binary, slot);
  return slots;
}

export interface FlameNodes {
  zoom: number;
  selected: number;
}

/** The nodes that the URL's paths lead to. */
export function resolveNodes(
  { loaded, texts }: FlameModel,
  paths: { zoom: string; select: string },
): FlameNodes {
  return {
    zoom: resolvePath(loaded.view, paths.zoom, texts.identity),
    selected: resolvePath(loaded.view, paths.select, texts.identity),
  };
}

/** Colours of a plain graph: by binary, each frame's looked up once. */
export function plainStyle({ loaded, texts, palette }: FlameModel): FrameStyle {
  const { frame, frames } = loaded.view.graph;
  const cache: Record<'plain' | 'match', (string | undefined)[]> = { plain: [], match: [] };
  const kindOf = (node: number) => frames.kind[frame[node] ?? 0];
  return {
    fill: (node, matched) => {
      const row = frame[node] ?? 0;
      const known = cache[matched ? 'match' : 'plain'];
      const found = known[row];
      if (found !== undefined) return found;
      const [binary, kind] = [
        texts.binary(row),
        node === 0 ? FrameKind.label : (kindOf(node) ?? 0),
      ];
      const made = matched
        ? palette.match(binary, kind)
        : palette.frame(binary, kind, texts.packageName(row), texts.name(row));
      known[row] = made;
      return made;
    },
    hatched: (node) => kindOf(node) === FrameKind.unknown || texts.reason(frame[node] ?? 0) !== '',
    glyph: () => '',
    loud: () => false,
    heading: (node) => node === 0 || kindOf(node) === FrameKind.label,
  };
}

/** Frames that match the search and belong to the chosen binary; null while neither is set. */
export function useMatches(
  model: FlameModel | null,
  find: string,
  binary: string,
  names: NameStyle,
): { matches: Uint8Array; functions: number; literal: boolean } | null {
  const text = useDelayed(find.trim(), 60);
  const id = model?.loaded.id ?? -1;
  const raw = names === 'raw';
  const search = useQuery<SearchResult>({
    queryKey: ['search', id, raw, text],
    enabled: id >= 0 && text !== '',
    gcTime: 0,
    placeholderData: (previous, query) => (query?.queryKey[1] === id ? previous : undefined),
    queryFn: () => searchView(id, text, raw),
  });
  const found = text === '' ? null : (search.data ?? null);
  return useMemo(() => {
    if (model === null || (found === null && binary === '')) return null;
    const { frames } = model.loaded.view.graph;
    const matches = found === null ? new Uint8Array(frames.count).fill(1) : found.matches.slice();
    let functions = 0;
    for (let frame = 0; frame < frames.count; frame++) {
      const named = frames.kind[frame] !== FrameKind.label;
      if (!named || (binary !== '' && model.texts.binary(frame) !== binary)) matches[frame] = 0;
      functions += matches[frame] ?? 0;
    }
    return { matches, functions, literal: found?.literal ?? false };
  }, [model, found, binary]);
}

/** Names from below the root to a node; `texts.name`s are what the server's `root` takes. */
export function namesTo(
  { loaded }: FlameModel,
  node: number,
  nameOf: (frame: number) => string,
): string[] {
  const names: string[] = [];
  for (let at = node; at > 0; at = loaded.view.tree.parent[at] ?? 0) {
    names.push(nameOf(loaded.view.graph.frame[at] ?? 0));
  }
  return names.reverse();
}
