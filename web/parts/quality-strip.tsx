/** What an answer rests on, always in sight: samples, rate, losses, each with its reasons. */
import { useId } from 'react';
import type { Quality } from '../../profile/flame/quality.ts';
import { formatCount } from '../../profile/format-value.ts';
import { formatCounted } from '../format.ts';
import { describeQuality, type QualityFigure } from './quality-figures.ts';
import { SymbolsLink, type SymbolsPlace } from './symbols-link.tsx';

export interface QualityFiguresProps {
  quality: Quality;
  total: number;
  /** Names of the figures to show; all where it is absent. */
  only?: readonly string[];
  /** The profiles that the answer is of. */
  place: SymbolsPlace;
}

export function QualityFigures({ quality, total, only, place }: QualityFiguresProps) {
  return describeQuality(quality, total)
    .filter(({ name }) => only === undefined || only.includes(name))
    .map((figure) => <Figure key={figure.name} {...{ figure, quality, place }} />);
}

interface FigureProps {
  figure: QualityFigure;
  quality: Quality;
  place: SymbolsPlace;
}

function Figure({ figure, quality, place }: FigureProps) {
  const id = useId();
  return (
    <>
      <button type="button" popoverTarget={id} className={figure.warn ? 'w' : ''}>
        <b>{figure.value}</b> {figure.name}
      </button>
      <div popover="auto" id={id}>
        <strong>{figure.title}</strong>
        <p className="small soft">{figure.explanation}</p>
        {figure.rows.length === 0 ? null : (
          <table>
            <tbody>
              {figure.rows.map(({ text, amount, share, reason }) => (
                <tr key={text}>
                  <td>
                    {reason === undefined ? (
                      text
                    ) : (
                      <SymbolsLink className="link" place={place} show={{ reason }}>
                        {text}
                      </SymbolsLink>
                    )}
                  </td>
                  <td>{amount}</td>
                  <td>{share}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
        {figure.name === 'unsymbolized' ? (
          <p className="small">
            <SymbolsLink className="link" place={place}>
              All binaries and their symbols
            </SymbolsLink>
          </p>
        ) : null}
        <p className="small quiet">{coverage(quality)}</p>
      </div>
    </>
  );
}

function coverage({ series, hosts }: Quality): string {
  const own = `${formatCounted(series.profiles, 'profile')} of ${formatCount(series.series)} series`;
  if (hosts === null) return `${own}; no agent's window covers them.`;
  const missing = hosts.missingWindows;
  const gaps = missing === 0 ? 'none missing' : `${formatCount(missing)} missing`;
  const from = `${formatCounted(hosts.windows, 'window')} on ${formatCounted(hosts.hosts, 'host')}`;
  return `${own}, from ${from}, ${gaps}.`;
}
