/** How functions' names are shown: the link's choice, else what this browser showed last. */
import { createStore, useStore } from '../parts/store.ts';
import type { NamesChoice } from '../url-state.ts';

/** `short` leaves out what a language repeats, `raw` is what the compiler wrote (mangled). */
export type NameStyle = Exclude<NamesChoice, ''>;

const KEY = 'everflame.names';
const STYLES: readonly NameStyle[] = ['short', 'full', 'raw'];

function readStored(): NameStyle {
  const stored = typeof localStorage === 'undefined' ? null : localStorage.getItem(KEY);
  return STYLES.find((style) => style === stored) ?? 'short';
}

const remembered = createStore<NameStyle>(readStored());

export function useNameStyle(choice: NamesChoice): NameStyle {
  const last = useStore(remembered);
  return choice === '' ? last : choice;
}

export function rememberNameStyle(style: NameStyle): void {
  localStorage.setItem(KEY, style);
  remembered.set(style);
}

/** What a link says so that its reader sees this style; short names need no word. */
export function choiceOf(style: NameStyle): NamesChoice {
  return style === 'short' ? '' : style;
}
