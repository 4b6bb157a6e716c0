/** The strip at the very bottom: what the server keeps, and where else it looks. */
import { type ReactNode, useId } from 'react';
import { formatValue } from '../../profile/format-value.ts';
import type { DebuginfoJson } from '../../wire/http.ts';
import { formatClock, formatCounted } from '../format.ts';

/** Above this share of the budget the least used files are about to go. */
const WARN_SHARE = 0.9;

export interface StoreStripProps {
  answer: DebuginfoJson;
  /** Null before the first answer. */
  answeredMs: number | null;
}

export function StoreStrip({ answer, answeredMs }: StoreStripProps) {
  const { bytes_on_disk, max_bytes, local_paths, debuginfod_urls } = answer;
  const share = max_bytes > 0 ? bytes_on_disk / max_bytes : 0;
  const bytes = (value: number) => formatValue(value, 'bytes');
  return (
    <section className="quality" aria-label="Symbols on this server">
      <Fact
        value={`${bytes(bytes_on_disk)} of ${bytes(max_bytes)}`}
        name="on disk"
        warn={share > WARN_SHARE}
        title="Symbols on this server’s disk"
      >
        <p className="small soft">
          The budget is set with <code>--debuginfo-bytes</code>. When it is full, the files that
          were not used for longest go first.
        </p>
        <span className="fill-bar">
          <span style={{ width: `${Math.min(1, share) * 100}%` }} />
        </span>
      </Fact>
      <Fact
        value={count(local_paths.length, 'local path')}
        name=""
        title="Local paths, looked in by build id"
      >
        <Places
          places={local_paths}
          none={<>None. Name folders with --debuginfo-path, such as /usr/lib/debug.</>}
        />
      </Fact>
      <Fact
        value={count(debuginfod_urls.length, 'debuginfod server')}
        name=""
        title="debuginfod servers, asked last"
      >
        <Places
          places={debuginfod_urls}
          none={<>None is asked. Name servers with --debuginfod-urls.</>}
        />
      </Fact>
      <span className="push quiet wide clip">
        {answeredMs === null ? '' : `Answered at ${formatClock(answeredMs, true)}.`}
      </span>
    </section>
  );
}

function count(value: number, name: string): string {
  return value === 0 ? `no ${name}s` : formatCounted(value, name);
}

interface FactProps {
  value: string;
  name: string;
  title: string;
  warn?: boolean;
  children: ReactNode;
}

function Fact({ value, name, title, warn = false, children }: FactProps) {
  const id = useId();
  return (
    <>
      <button type="button" popoverTarget={id} className={warn ? 'w' : ''}>
        <b>{value}</b> {name}
      </button>
      <div popover="auto" id={id}>
        <strong>{title}</strong>
        {children}
      </div>
    </>
  );
}

function Places({ places, none }: { places: readonly string[]; none: ReactNode }) {
  if (places.length === 0) return <p className="small soft">{none}</p>;
  return (
    <ol className="places">
      {places.map((place) => (
        <li key={place} className="fn">
          {place}
        </li>
      ))}
    </ol>
  );
}
