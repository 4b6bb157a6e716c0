/** Whether two answers are equal: integers to the last unit, other numbers within 1e-9. */
const TOLERANCE = 1e-9;

/** Where the answers differ first, and how; null where they do not. */
export function findDifference(found: unknown, expected: unknown, path = ''): string | null {
  if (typeof found === 'number' && typeof expected === 'number') {
    return isSameNumber(found, expected) ? null : `${path}: ${found} for ${expected}`;
  }
  if (!isObject(found) || !isObject(expected)) {
    if (Object.is(found, expected)) return null;
    return `${path}: ${JSON.stringify(found)} for ${JSON.stringify(expected)}`;
  }
  const names = new Set([...Object.keys(expected), ...Object.keys(found)]);
  for (const name of names) {
    const difference = findDifference(found[name], expected[name], `${path}/${name}`);
    if (difference !== null) return difference;
  }
  return null;
}

function isSameNumber(found: number, expected: number): boolean {
  if (Object.is(found, expected) || found === expected) return true;
  if (Number.isInteger(found) && Number.isInteger(expected)) return false;
  return Math.abs(found - expected) <= TOLERANCE * Math.max(Math.abs(found), Math.abs(expected));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null;
}
