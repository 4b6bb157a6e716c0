/** Tables of text for terminals. */

/**
 * Columns two spaces apart, the first `right` of them aligned right. The last one is not padded.
 */
export function formatTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  right: number,
): string {
  const lines = [header, ...rows];
  const widths = header.map((_, at) => Math.max(...lines.map((line) => (line[at] ?? '').length)));
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
