/** Tables of text for terminals. */

/** A longer cell, as a C++ name of a page, moves what follows it in its own line only. */
const MAX_COLUMN_WIDTH = 80;

/**
 * Columns two spaces apart, the first `right` of them aligned right. The last one is not padded.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: number,
): string {
  const lines = [header, ...rows];
  const widths = header.map((_, at) => {
    const lengths = lines.map((line) => (line[at] ?? '').length);
    return Math.max(...lengths.filter((length) => length <= MAX_COLUMN_WIDTH));
  });
  const text = lines.map((line) =>
    line
      .map((cell, at) => {
        const width = widths[at] ?? 0;
        return at < right ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
  return `${text.join('\n')}\n`;
}
