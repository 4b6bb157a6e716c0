/** Pyroscope's `name` parameter: `app{key=value,...}`, values quoted or not. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_SELECTOR_LENGTH, MAX_SENT_LABELS_PER_SERIES } from '../../profile/limits.ts';
import type { Labels } from '../../profile/select/labels.ts';

const FIELD = 'name';
const QUOTED = /"((?:[^"\\]|\\.)*)"\s*/y;
const BARE = /[^,{}"]*/y;
const KEY = /\s*([^\s=,{}"]+)\s*=\s*/y;

/**
 * The labels of a push. The application's name becomes `service_name`; where the labels have that
 * already it is kept as `app_name`.
 */
export function parsePushName(text: string): Labels {
  if (text.length > MAX_SELECTOR_LENGTH) throw malformed('the name is too long', 0);
  const brace = text.indexOf('{');
  const app = (brace < 0 ? text : text.slice(0, brace)).trim();
  const labels: Record<string, string> = {};
  if (brace >= 0) parseLabels(text, brace + 1, labels);
  if (app === '' && labels.service_name === undefined) {
    throw malformed('the name of the application is missing', 0);
  }
  if (app !== '') labels[labels.service_name === undefined ? 'service_name' : 'app_name'] = app;
  return labels;
}

function parseLabels(text: string, start: number, labels: Record<string, string>): void {
  let at = start;
  const end = text.trimEnd().length - 1;
  if (text[end] !== '}') throw malformed('the closing brace is missing', text.length);
  while (text.slice(at, end).trim() !== '') {
    const key = match(KEY, text, at);
    if (key === null) throw malformed('a label is not written key=value', at);
    at += key[0].length;
    // OpenTelemetry's names have dots, and Pyroscope's clients send some of them.
    const name = (key[1] as string).replaceAll('.', '_');
    const quoted = match(QUOTED, text, at);
    const value = quoted ?? match(BARE, text, at);
    if (Object.hasOwn(labels, name)) throw malformed(`label ${name} stands twice`, at);
    if (Object.keys(labels).length >= MAX_SENT_LABELS_PER_SERIES) {
      throw malformed(`more than ${MAX_SENT_LABELS_PER_SERIES} labels`, at);
    }
    labels[name] = quoted === null ? (value?.[0] ?? '').trim() : unquote(quoted[1] as string, at);
    at += value?.[0].length ?? 0;
    if (at < end && text[at] !== ',') throw malformed('a comma is missing', at);
    at++;
  }
}

function match(pattern: RegExp, text: string, at: number): RegExpExecArray | null {
  pattern.lastIndex = at;
  return pattern.exec(text);
}

/** The escapes of a Go or JSON string. */
function unquote(text: string, position: number): string {
  try {
    return String(JSON.parse(`"${text}"`));
  } catch (cause) {
    throw malformed('a quoted value has an escape that JSON does not know', position, cause);
  }
}

function malformed(message: string, position: number, cause?: unknown): EverflameError {
  return new EverflameError('invalid', message, {
    field: FIELD,
    position,
    remedy: 'Write name=service{key=value,key="value"}.',
    ...(cause === undefined ? {} : { cause }),
  });
}
