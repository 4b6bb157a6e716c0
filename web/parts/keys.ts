/** Page-wide shortcuts. */
import { useEffect } from 'react';

/** Whether a key press belongs to a field, so that no page-wide shortcut takes it. */
export function isTyping(event: KeyboardEvent): boolean {
  if (event.ctrlKey || event.metaKey || event.altKey) return true;
  const target = event.target;
  return (
    target instanceof HTMLInputElement ||
    target instanceof HTMLTextAreaElement ||
    target instanceof HTMLSelectElement
  );
}

/** Calls back on a key anywhere on the page but in a field. */
export function useKey(key: string, onPress: () => void): void {
  useEffect(() => {
    const listen = (event: KeyboardEvent) => {
      if (event.key === key && !isTyping(event)) onPress();
    };
    document.addEventListener('keydown', listen);
    return () => document.removeEventListener('keydown', listen);
  }, [key, onPress]);
}
