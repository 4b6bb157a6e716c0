/** The parts' lines as one: what is the worst of each part is the worst of all, the rest adds up. */
export function combineLines(lines: readonly string[]): string {
  const [first = '', ...rest] = lines;
  const number = /(slowest |grew by )?(\d+(?:\.\d+)?)/g;
  const columns = rest.map((line) => [...line.matchAll(number)].map((match) => Number(match[2])));
  let column = -1;
  return first.replace(number, (_, worst: string | undefined, text: string) => {
    column++;
    const values = [Number(text), ...columns.map((numbers) => numbers[column] ?? 0)];
    const sum = values.reduce((total, value) => total + value, 0);
    return worst === undefined ? `${sum}` : `${worst}${Math.max(...values)}`;
  });
}
