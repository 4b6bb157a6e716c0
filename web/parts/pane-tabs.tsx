/** Which pane a phone shows; hidden where all fit side by side. */
import type { PaneName } from '../url-state.ts';

export interface PaneTabsProps {
  tabs: readonly { pane: PaneName; title: string }[];
  pane: PaneName;
  onPane: (pane: PaneName) => void;
}

export function PaneTabs({ tabs, pane, onPane }: PaneTabsProps) {
  return (
    <div className="tabs views" role="tablist">
      {tabs.map((tab) => (
        <button
          type="button"
          key={tab.pane}
          role="tab"
          aria-selected={tab.pane === pane}
          onClick={() => onPane(tab.pane)}
        >
          {tab.title}
        </button>
      ))}
    </div>
  );
}
