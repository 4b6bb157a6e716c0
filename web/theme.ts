/** Light, dark or as the system has it; kept in the browser, not in the URL. */
import { useEffect, useState } from 'react';
import { useMedia } from './parts/hooks.ts';

export type ThemeChoice = 'system' | 'light' | 'dark';

const KEY = 'everflame.theme';
const ORDER: readonly ThemeChoice[] = ['system', 'light', 'dark'];

/** A choice from storage or a link; anything else is the system's. */
export function readChoice(text: string | null): ThemeChoice {
  return ORDER.find((choice) => choice === text) ?? 'system';
}

function storedChoice(): ThemeChoice {
  const fromLink = new URLSearchParams(location.search).get('theme');
  if (fromLink !== null) return readChoice(fromLink);
  return readChoice(localStorage.getItem(KEY));
}

export function applyTheme(choice: ThemeChoice): void {
  if (choice === 'system') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = choice;
}

export interface Theme {
  choice: ThemeChoice;
  dark: boolean;
  choose: (choice: ThemeChoice) => void;
}

export function useTheme(): Theme {
  const [choice, setChoice] = useState(storedChoice);
  const systemDark = useMedia('(prefers-color-scheme: dark)');
  useEffect(() => applyTheme(choice), [choice]);
  return {
    choice,
    dark: choice === 'system' ? systemDark : choice === 'dark',
    choose: (next) => {
      localStorage.setItem(KEY, next);
      // Before the next render reads colours from the style sheet.
      applyTheme(next);
      setChoice(next);
    },
  };
}
