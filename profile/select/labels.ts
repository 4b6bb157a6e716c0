/** Label sets of series: names as in Prometheus, values any UTF-8; absent is the same as empty. */
import { EverflameError } from '../errors.ts';
import { MAX_LABEL_NAME_BYTES, MAX_LABEL_VALUE_BYTES, MAX_LABELS_PER_SERIES } from '../limits.ts';

export type Labels = Readonly<Record<string, string>>;

const LABEL_NAME = /^[a-zA-Z_][a-zA-Z0-9_]*$/;

export function isLabelName(name: string): boolean {
  return LABEL_NAME.test(name);
}

/**
 * The canonical form of a series' labels: empty values and names beginning with `__` removed,
 * sorted by name (by UTF-16 code unit). Throws `unprocessable` for a name that is not allowed.
 */
export function canonicalLabels(labels: Labels, field = 'labels'): Labels {
  const names = Object.keys(labels).filter((name) => labels[name] !== '' && !name.startsWith('__'));
  if (names.length > MAX_LABELS_PER_SERIES) {
    throw new EverflameError('unprocessable', `a series has ${names.length} labels`, {
      field,
      limit: `MAX_LABELS_PER_SERIES = ${MAX_LABELS_PER_SERIES}`,
      remedy: 'Put what varies from sample to sample into sample labels.',
    });
  }
  const sorted: Record<string, string> = {};
  for (const name of names.sort()) {
    const value = labels[name] ?? '';
    checkLabel(name, value, field);
    sorted[name] = value;
  }
  return sorted;
}

function checkLabel(name: string, value: string, field: string): void {
  if (!isLabelName(name) || name.length > MAX_LABEL_NAME_BYTES) {
    throw new EverflameError(
      'unprocessable',
      `${JSON.stringify(name.slice(0, 80))} is not a label name`,
      {
        field,
        limit: `MAX_LABEL_NAME_BYTES = ${MAX_LABEL_NAME_BYTES}`,
        remedy: 'Label names match [a-zA-Z_][a-zA-Z0-9_]*.',
      },
    );
  }
  // Bytes of UTF-8 are at most three times the UTF-16 length, so only long values are encoded.
  const bytes =
    value.length * 3 <= MAX_LABEL_VALUE_BYTES ? 0 : new TextEncoder().encode(value).length;
  if (bytes > MAX_LABEL_VALUE_BYTES) {
    throw new EverflameError('unprocessable', `the value of label ${name} has ${bytes} bytes`, {
      field,
      limit: `MAX_LABEL_VALUE_BYTES = ${MAX_LABEL_VALUE_BYTES}`,
    });
  }
}
