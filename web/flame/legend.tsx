/** Binaries and their hues, the heaviest first; a click makes only that binary's frames strong. */
import { FrameKind } from '../../profile/flame/frame.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import type { FlameModel } from './flame-model.ts';

const SHOWN = 8;

export interface LegendProps {
  model: FlameModel;
  chosen: string;
  onChoose: (binary: string) => void;
}

export function Legend({ model, chosen, onChoose }: LegendProps) {
  const shown = model.binaries.slice(0, SHOWN);
  const rest = model.binaries.slice(SHOWN);
  const swatch = (binary: string) => (
    <span
      className="sw"
      style={{ backgroundColor: model.palette.base(binary, FrameKind.native) }}
    />
  );
  const toggle = (binary: string) => onChoose(binary === chosen ? '' : binary);
  return (
    <div className="legend">
      <div className="hues">
        {shown.map(([binary]) => (
          <button
            type="button"
            key={binary}
            aria-pressed={binary === chosen}
            onClick={() => toggle(binary)}
          >
            {swatch(binary)}
            {binary}
          </button>
        ))}
      </div>
      {rest.length === 0 ? null : (
        <Dropdown
          className="quiet"
          label={rest.some(([binary]) => binary === chosen) ? chosen : `and ${rest.length} more`}
        >
          {(close) => (
            <Items>
              {rest.map(([binary]) => (
                <Item
                  key={binary}
                  checked={binary === chosen}
                  onClick={() => {
                    toggle(binary);
                    close();
                  }}
                >
                  {swatch(binary)}
                  {binary}
                </Item>
              ))}
            </Items>
          )}
        </Dropdown>
      )}
      <LegendMarks inlined={model.hasInlined} unnamed={model.hasUnnamed} />
    </div>
  );
}

/** What marks on frames mean; only of those that the graph has. */
export function LegendMarks({ inlined, unnamed }: { inlined: boolean; unnamed: boolean }) {
  return (
    <div className="marks">
      {inlined ? (
        <span title="Inlined into the caller above it: no call takes place">
          <span className="sw joined" aria-hidden="true" />
          inlined
        </span>
      ) : null}
      {unnamed ? (
        <span title="No name is known; the strip below says why">
          <span className="sw un" aria-hidden="true" />
          no name
        </span>
      ) : null}
    </div>
  );
}
