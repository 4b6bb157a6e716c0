/** One line per event: time, level, message and fields, in logfmt. */

export type Level = 'info' | 'warn' | 'error';
export type Log = (
  level: Level,
  message: string,
  fields?: Readonly<Record<string, string | number>>,
) => void;

export function formatLine(
  time: Date,
  level: Level,
  message: string,
  fields: Readonly<Record<string, string | number>> = {},
): string {
  const pairs = { time: time.toISOString(), level, msg: message, ...fields };
  return Object.entries(pairs)
    .map(([key, value]) => `${key}=${quoted(String(value))}`)
    .join(' ');
}

/** Only what needs quotes gets them; line breaks never reach the output as such. */
function quoted(value: string): string {
  return /^[\w.:/@+-]+$/.test(value) ? value : JSON.stringify(value);
}
