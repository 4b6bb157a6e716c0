/** The strip below the graph: everything about one frame, always at the same place. */
import type { ReactNode } from 'react';

export interface DetailFigure {
  name: string;
  value: ReactNode;
  strong?: boolean;
  className?: string;
  /** Left out on phones. */
  optional?: boolean;
}

export interface DetailProps {
  name: string;
  where: string;
  /** The same without anything left out. */
  everything: string;
  figures: readonly DetailFigure[];
  /** The frame is the root: its second line can go where there is little room. */
  whole: boolean;
  children?: ReactNode;
}

export function Detail({ name, where, everything, figures, whole, children }: DetailProps) {
  return (
    <section className={`detail${whole ? ' whole' : ''}`} aria-label="Frame">
      <div className="who">
        <div className="clip fn" title={name}>
          {name}
        </div>
        <div className="clip small soft" title={everything}>
          {where}
        </div>
      </div>
      <div className="nums small">
        {figures.map((figure) => (
          <div key={figure.name} className={figure.optional ? 'opt' : undefined}>
            <div className="tiny quiet">{figure.name} </div>
            <div className={`v ${figure.className ?? ''}`}>
              {figure.strong ? <strong>{figure.value}</strong> : figure.value}
            </div>
          </div>
        ))}
      </div>
      <div className="acts">{children}</div>
    </section>
  );
}
