/** The time range: a length before now, or two moments. */
import { useState } from 'react';
import { formatClock, formatDay, formatRange } from '../format.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import { isRelative, PRESETS, type Range, type RangeText, resolveRange } from '../time.ts';

export interface RangeMenuProps {
  range: RangeText;
  nowMs: number;
  onChange: (range: RangeText) => void;
}

/** "Last 1 hour", or the two moments. */
export function rangeTitle(range: RangeText, nowMs: number): string {
  const preset = PRESETS.find(({ from }) => range.to === 'now' && range.from === from);
  if (preset) return preset.title;
  if (isRelative(range)) return `Last ${range.from.slice('now-'.length)}`;
  const { fromMs, toMs } = resolveRange(range, nowMs);
  return formatRange(fromMs, toMs, nowMs);
}

export function RangeMenu({ range, nowMs, onChange }: RangeMenuProps) {
  return (
    <Dropdown
      className="fill range"
      hint="Time range: "
      align="end"
      label={rangeTitle(range, nowMs)}
    >
      {(close) => (
        <>
          <Items>
            {PRESETS.map(({ title, from }) => (
              <Item
                key={from}
                checked={range.to === 'now' && range.from === from}
                onClick={() => {
                  onChange({ from, to: 'now' });
                  close();
                }}
              >
                {title}
              </Item>
            ))}
          </Items>
          <AbsoluteForm
            range={resolveRange(range, nowMs)}
            onSubmit={(next) => {
              onChange(next);
              close();
            }}
          />
        </>
      )}
    </Dropdown>
  );
}

/** What a datetime-local field holds, in the reader's time zone. */
function localText(ms: number): string {
  return `${formatDay(ms)}T${formatClock(ms, true)}`;
}

function AbsoluteForm(props: { range: Range; onSubmit: (range: RangeText) => void }) {
  const [from, setFrom] = useState(localText(props.range.fromMs));
  const [to, setTo] = useState(localText(props.range.toMs));
  const [fromMs, toMs] = [Date.parse(from), Date.parse(to)];
  const valid = fromMs < toMs;
  return (
    <form
      className="absolute"
      onSubmit={(event) => {
        event.preventDefault();
        if (valid) props.onSubmit({ from: String(fromMs), to: String(toMs) });
      }}
    >
      <label>
        <span className="tiny quiet">From</span>
        <input
          className="field"
          type="datetime-local"
          step="1"
          value={from}
          onChange={(event) => setFrom(event.target.value)}
        />
      </label>
      <label>
        <span className="tiny quiet">To</span>
        <input
          className="field"
          type="datetime-local"
          step="1"
          value={to}
          onChange={(event) => setTo(event.target.value)}
        />
      </label>
      <button type="submit" className="btn main" disabled={!valid}>
        {valid ? 'Apply' : 'From is not before to'}
      </button>
    </form>
  );
}
