/** The selection by the values of one label: bar, average, share, and two buttons per value. */
import type { SeriesJson } from '../../wire/http.ts';
import { formatShare } from '../format.ts';
import { Dropdown, Item, Items } from '../parts/dropdown.tsx';
import type { Quantity } from '../quantity.ts';
import { RowsSkeleton } from '../states/skeleton.tsx';

export interface LabelsPanelProps {
  by: string;
  names: readonly string[];
  series: SeriesJson | undefined;
  quantity: Quantity;
  seconds: number;
  onBy: (name: string) => void;
  onMatch: (op: '=' | '!=', value: string) => void;
}

export function LabelsPanel(props: LabelsPanelProps) {
  const { by, names, series, quantity, seconds, onBy, onMatch } = props;
  const lines = series?.series ?? [];
  const rest = series?.rest ?? null;
  const whole = lines.reduce((sum, line) => sum + line.total, rest?.total ?? 0);
  const largest = lines[0]?.total ?? 0;
  const values = lines.length + (rest?.count ?? 0);
  const average = (total: number) =>
    quantity.formatAverage(quantity.gauge || seconds <= 0 ? total : total / seconds);
  return (
    <section className="labels" aria-label="Labels">
      <header>
        <h2>By</h2>
        <Dropdown className="flush" hint="Label: " label={by}>
          {(close) => (
            <Items>
              {names.map((name) => (
                <Item
                  key={name}
                  checked={name === by}
                  onClick={() => {
                    onBy(name);
                    close();
                  }}
                >
                  {name}
                </Item>
              ))}
            </Items>
          )}
        </Dropdown>
        <span className="quiet small push">
          {[
            series === undefined ? '' : `${values} value${values === 1 ? '' : 's'}`,
            names.length === 0 ? '' : `${names.length} label${names.length === 1 ? '' : 's'}`,
          ]
            .filter((part) => part !== '')
            .join(', ')}
        </span>
      </header>
      {series === undefined ? (
        <RowsSkeleton rows={4} />
      ) : (
        <table>
          <tbody>
            {lines.map((line) => {
              const value = line.labels[by] ?? '';
              return (
                <tr key={value}>
                  <td className="clip" title={value}>
                    {value === '' ? <span className="quiet">without {by}</span> : value}
                  </td>
                  <td className="share">
                    <span style={{ width: `${(line.total / (largest || 1)) * 100}%` }} />
                  </td>
                  <td className="n">{average(line.total)}</td>
                  <td className="n">{formatShare(line.total / (whole || 1), 1)}</td>
                  <td className="do">
                    <button
                      type="button"
                      aria-label={`Only ${value}`}
                      title="Only this"
                      onClick={() => onMatch('=', value)}
                    >
                      =
                    </button>
                    <button
                      type="button"
                      aria-label={`Without ${value}`}
                      title="Without this"
                      onClick={() => onMatch('!=', value)}
                    >
                      ≠
                    </button>
                  </td>
                </tr>
              );
            })}
            {rest === null ? null : (
              <tr>
                <td className="quiet">{rest.count} more</td>
                <td className="share" />
                <td className="n">{average(rest.total)}</td>
                <td className="n">{formatShare(rest.total / (whole || 1), 1)}</td>
                <td className="do" />
              </tr>
            )}
          </tbody>
        </table>
      )}
    </section>
  );
}
