/** A button that opens a panel below it; Esc, a click elsewhere and `close` shut it again. */
import { type KeyboardEvent, type ReactNode, useEffect, useId, useRef, useState } from 'react';

export interface DropdownProps {
  className?: string;
  /** What the button says. */
  label: ReactNode;
  /** Read before the label by a screen reader: "Time range: ". */
  hint?: string;
  /** Which edge of the button the panel is flush with. */
  align?: 'start' | 'end';
  children: (close: () => void) => ReactNode;
}

export function Dropdown({ className, label, hint, align = 'start', children }: DropdownProps) {
  const [open, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const id = useId();
  const close = () => {
    setOpen(false);
    button.current?.focus();
  };
  useEffect(() => {
    if (!open) return;
    const outside = (event: PointerEvent) => {
      if (event.target instanceof Node && !root.current?.contains(event.target)) setOpen(false);
    };
    document.addEventListener('pointerdown', outside);
    const first = root.current?.querySelector<HTMLElement>(
      '.panel [aria-checked="true"], .panel input, .panel button, .panel a',
    );
    first?.focus();
    return () => document.removeEventListener('pointerdown', outside);
  }, [open]);
  const onKeyDown = (event: KeyboardEvent) => {
    if (!open) return;
    if (event.key === 'Escape') {
      event.stopPropagation();
      close();
    } else if (event.key === 'ArrowDown' || event.key === 'ArrowUp') {
      moveFocus(root.current, event);
    }
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: it only catches keys of what is in it.
    <div className="dropdown" ref={root} onKeyDown={onKeyDown}>
      <button
        type="button"
        ref={button}
        className={`btn down ${className ?? ''}`}
        aria-expanded={open}
        aria-controls={id}
        onClick={() => setOpen(!open)}
      >
        {hint === undefined ? null : <span className="sr">{hint}</span>}
        {label}
      </button>
      {open ? (
        <div className={`panel ${align}`} id={id}>
          {children(close)}
        </div>
      ) : null}
    </div>
  );
}

/** Up and down go through the panel's items; a field with its own list keeps its arrows. */
function moveFocus(root: HTMLElement | null, event: KeyboardEvent): void {
  const items = [...(root?.querySelectorAll<HTMLElement>('.panel .item') ?? [])];
  const at = items.indexOf(document.activeElement as HTMLElement);
  if (items.length === 0 || at < 0) return;
  event.preventDefault();
  const next = at + (event.key === 'ArrowDown' ? 1 : -1);
  items[(next + items.length) % items.length]?.focus();
}

/** Choices of which one holds. */
export function Items({ children }: { children: ReactNode }) {
  return (
    <div role="menu" className="items">
      {children}
    </div>
  );
}

export interface ItemProps {
  checked?: boolean;
  onClick: () => void;
  children: ReactNode;
}

/** One choice in a panel. */
export function Item({ checked, onClick, children }: ItemProps) {
  return (
    <button
      type="button"
      role="menuitemradio"
      aria-checked={checked ?? false}
      className="item"
      onClick={onClick}
    >
      {children}
    </button>
  );
}
