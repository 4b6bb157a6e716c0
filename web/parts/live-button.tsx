/** Whether the page refreshes by itself; absent where the range does not move with the clock. */
export interface LiveButtonProps {
  relative: boolean;
  live: boolean;
  onToggle: () => void;
}

export function LiveButton({ relative, live, onToggle }: LiveButtonProps) {
  if (!relative) return null;
  return (
    <button
      type="button"
      className="btn live"
      aria-pressed={live}
      title={live ? 'Refreshes every 10 seconds; click to pause' : 'Paused; click to go on'}
      onClick={onToggle}
    >
      <span className="dot" aria-hidden="true" />
      {live ? 'Live' : 'Paused'}
    </button>
  );
}
