/** The beginning of a build id; a click copies all of it. */
import { useState } from 'react';
import { copyText } from '../parts/hooks.ts';
import { shortBuildId } from './binary-rows.ts';

export function BuildId({ buildId }: { buildId: string }) {
  const [copied, setCopied] = useState(false);
  return (
    <button
      type="button"
      className="fn id"
      // In a table the row is reached by keys; the details have a button for its build id.
      tabIndex={-1}
      title={`${buildId}\nClick to copy`}
      onClick={(event) => {
        event.stopPropagation();
        copyText(buildId).then(
          () => {
            setCopied(true);
            setTimeout(() => setCopied(false), 1500);
          },
          (error: unknown) => window.alert(`Not copied: ${String(error)}`),
        );
      }}
    >
      <span className="sr">Copy build id </span>
      {copied ? 'Copied' : shortBuildId(buildId)}
    </button>
  );
}
