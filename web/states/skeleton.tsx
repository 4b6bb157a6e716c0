/** Placeholders of the size of what will stand there. */

const LEVELS: readonly (readonly (readonly [left: number, width: number])[])[] = [
  [[0, 100]],
  [
    [0, 38],
    [38, 29],
    [67, 24],
    [91, 9],
  ],
  [
    [0, 32],
    [32, 6],
    [38, 29],
    [67, 21],
    [88, 3],
    [91, 9],
  ],
  [
    [0, 28],
    [28, 4],
    [32, 5],
    [38, 27],
    [67, 20],
    [91, 8],
  ],
  [
    [0, 25],
    [25, 3],
    [38, 26],
    [67, 17],
    [84, 3],
    [91, 6],
  ],
  [
    [0, 21],
    [25, 2],
    [38, 20],
    [58, 5],
    [67, 14],
    [91, 4],
  ],
  [
    [0, 18],
    [38, 9],
    [47, 7],
    [67, 12],
    [91, 3],
  ],
  [
    [0, 15],
    [38, 6],
    [47, 4],
    [67, 8],
  ],
  [
    [0, 7],
    [8, 5],
    [38, 3],
    [67, 5],
  ],
  [
    [0, 4],
    [8, 3],
    [67, 3],
  ],
];
const BLOCKS = LEVELS.flatMap((level, depth) =>
  level.map(([left, width]) => ({ key: `${depth}.${left}`, depth, left, width })),
);
const ROWS = [62, 78, 71, 54, 83, 48, 66, 74, 58, 80, 45, 69, 76, 52, 64, 57, 72, 49, 61, 68];

export function GraphSkeleton() {
  return (
    <div className="graph" aria-hidden="true">
      {BLOCKS.map(({ key, depth, left, width }) => (
        <div
          key={key}
          className="sk"
          style={{
            position: 'absolute',
            left: `${left}%`,
            top: depth * 20,
            width: `calc(${width}% - 1px)`,
            height: 19,
          }}
        />
      ))}
    </div>
  );
}

export function RowsSkeleton({ rows = ROWS.length }: { rows?: number }) {
  return (
    <div aria-hidden="true">
      {ROWS.slice(0, rows).map((width) => (
        <div className="sk-row" key={width}>
          <div className="sk" style={{ width: `${width}%` }} />
          <div className="sk" />
          <div className="sk" />
        </div>
      ))}
    </div>
  );
}
