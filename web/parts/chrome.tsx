/** The bar on top: name, pages, keys, theme. */
import { useEffect, useRef } from 'react';
import { hrefOf, navigate } from '../navigation.ts';
import type { Theme, ThemeChoice } from '../theme.ts';
import type { PageName } from '../url-state.ts';
import { Dropdown, Item, Items } from './dropdown.tsx';
import { isTyping } from './keys.ts';

const PAGES: readonly { page: PageName; title: string }[] = [
  { page: 'explore', title: 'Explore' },
  { page: 'compare', title: 'Compare' },
  { page: 'debuginfo', title: 'Symbols' },
];
/** After `g`: the first letter of a page's title. */
const LETTERS: Record<string, PageName> = { e: 'explore', c: 'compare', s: 'debuginfo' };
const THEMES: readonly { choice: ThemeChoice; title: string }[] = [
  { choice: 'system', title: 'As the system' },
  { choice: 'light', title: 'Light' },
  { choice: 'dark', title: 'Dark' },
];
const KEYS: readonly (readonly [string, string])[] = [
  ['/', 'Search functions, or binaries'],
  ['Esc', 'Clear the search, reset the zoom, close what is open'],
  ['?', 'This list'],
  ['r', 'Refresh'],
  ['g e, g c, g s', 'Go to Explore, to Compare, to Symbols'],
  ['↑ ↓', 'In the graph: caller, widest callee; in the table: rows'],
  ['← →', 'In the graph: the frames beside; in the series: move a handle'],
  ['Home', 'In the graph: all'],
  ['Enter', 'Zoom into the frame, or into the row’s widest frame'],
  ['Backspace', 'Zoom out by one caller'],
  ['n, N', 'In the graph: next match, previous match'],
];

export interface ChromeProps {
  page: PageName;
  /** Each page's address with what the shown one has in common with it. */
  paramsOf: (page: PageName) => URLSearchParams;
  theme: Theme;
}

export function Chrome({ page, paramsOf, theme }: ChromeProps) {
  const sheet = useRef<HTMLDialogElement>(null);
  useShortcuts(sheet, paramsOf);
  const links = (close?: () => void) =>
    PAGES.map((entry) => (
      <a
        key={entry.page}
        href={hrefOf(entry.page, paramsOf(entry.page))}
        aria-current={entry.page === page ? 'page' : undefined}
        onClick={(event) => {
          if (event.ctrlKey || event.metaKey || event.shiftKey) return;
          event.preventDefault();
          close?.();
          navigate(entry.page, paramsOf(entry.page));
        }}
      >
        {entry.title}
      </a>
    ));
  return (
    <header className="bar top">
      <a className="mark" href="./explore" onClick={goHome}>
        <svg width="16" height="16" viewBox="0 0 16 16" aria-hidden="true">
          <path d="M1 11h14v4H1zM3 6h9v4H3zM6 1h4v4H6z" />
        </svg>
        Everflame
      </a>
      <div className="menu">
        <Dropdown
          className="fill"
          label={PAGES.find((entry) => entry.page === page)?.title ?? ''}
          hint="Page: "
        >
          {(close) => <nav aria-label="Pages">{links(close)}</nav>}
        </Dropdown>
      </div>
      <nav className="nav" aria-label="Pages">
        {links()}
      </nav>
      <button type="button" className="btn wide" onClick={() => sheet.current?.showModal()}>
        Keys <kbd>?</kbd>
      </button>
      <Dropdown label={theme.dark ? 'Dark' : 'Light'} hint="Theme: " align="end">
        {(close) => (
          <Items>
            {THEMES.map(({ choice, title }) => (
              <Item
                key={choice}
                checked={choice === theme.choice}
                onClick={() => {
                  theme.choose(choice);
                  close();
                }}
              >
                {title}
              </Item>
            ))}
          </Items>
        )}
      </Dropdown>
      <KeySheet sheet={sheet} />
    </header>
  );
}

function goHome(event: React.MouseEvent): void {
  event.preventDefault();
  navigate('explore', new URLSearchParams({ v: '1' }));
}

function KeySheet({ sheet }: { sheet: React.RefObject<HTMLDialogElement | null> }) {
  return (
    <dialog className="sheet" ref={sheet} aria-label="Keys">
      <h2>Keys</h2>
      <dl>
        {KEYS.map(([key, action]) => (
          <div key={key}>
            <dt>
              <kbd>{key}</kbd>
            </dt>
            <dd>{action}</dd>
          </div>
        ))}
      </dl>
      <form method="dialog">
        <button type="submit" className="btn fill">
          Close
        </button>
      </form>
    </dialog>
  );
}

/** `?` opens the sheet; `g` and then a page's first letter goes there. */
function useShortcuts(
  sheet: React.RefObject<HTMLDialogElement | null>,
  paramsOf: (page: PageName) => URLSearchParams,
): void {
  const leading = useRef(false);
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if (isTyping(event)) return;
      const page = leading.current ? LETTERS[event.key] : undefined;
      leading.current = event.key === 'g';
      if (event.key === '?') sheet.current?.showModal();
      else if (page !== undefined) navigate(page, paramsOf(page));
      else return;
      event.preventDefault();
    };
    document.addEventListener('keydown', onKey);
    return () => document.removeEventListener('keydown', onKey);
  });
}
