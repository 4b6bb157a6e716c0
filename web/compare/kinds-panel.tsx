/** How many functions changed in which way; a click shows only those. */
import type { Quantity } from '../quantity.ts';
import { RowsSkeleton } from '../states/skeleton.tsx';
import { CHANGE_WORDS, changeFormat, GLYPHS } from './change-words.ts';
import type { CompareModel } from './compare-model.ts';
import type { ComparePanesProps } from './compare-props.ts';

export interface KindsPanelProps extends ComparePanesProps {
  model: CompareModel | null;
  quantity: Quantity | null;
}

const TONES: Record<string, string> = { grew: 'B', new: 'B', shrank: 'A', gone: 'A', same: '' };

export function KindsPanel({ state, model, quantity, change }: KindsPanelProps) {
  if (model === null || quantity === null) {
    return (
      <section className="labels" aria-label="What changed, by kind">
        <RowsSkeleton rows={5} />
      </section>
    );
  }
  const format = changeFormat(state.mode, quantity);
  return (
    <section className="labels" aria-label="What changed, by kind">
      <table className="kinds">
        <thead>
          <tr>
            <th scope="col">By change in self</th>
            <th scope="col" className="n">
              Count
            </th>
            <th scope="col" className="wide-number">
              {format.unit === '' ? 'Sum' : `Sum, ${format.unit}`}
            </th>
          </tr>
        </thead>
        <tbody>
          {model.kinds.map(({ kind, count, delta }) => (
            <tr key={kind}>
              <td>
                <button
                  type="button"
                  aria-pressed={state.change === kind}
                  onClick={() => change({ change: state.change === kind ? '' : kind }, 'replace')}
                >
                  <span className={`glyph ${TONES[kind]}`} aria-hidden="true">
                    {GLYPHS[kind]}
                  </span>
                  {CHANGE_WORDS[kind][0]?.toUpperCase()}
                  {CHANGE_WORDS[kind].slice(1)}
                </button>
              </td>
              <td className="n">{count}</td>
              <td className="n">{format.delta(delta)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  );
}
