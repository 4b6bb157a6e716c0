/** One frame of a drawn stack: `binary!outer@file:line+inner@file:line`, or `binary!0xaddress`. */
import { assert } from '../../profile/errors.ts';

export interface DrawnFrame {
  /** `app` where the text names none. */
  binary: string;
  /** Of a frame without a name, else null. */
  address: number | null;
  /** Outermost first; the others were inlined into the one before them. */
  functions: DrawnFunction[];
}

export interface DrawnFunction {
  name: string;
  /** Empty where the text names none; the line is 0 then. */
  file: string;
  line: number;
}

const DEFAULT_BINARY = 'app';

export function parseFrame(text: string): DrawnFrame {
  const [, binary = DEFAULT_BINARY, code = ''] = /^(?:([^!]+)!)?(.+)$/.exec(text) ?? [];
  if (/^0x[0-9a-f]+$/.test(code)) return { binary, address: Number(code), functions: [] };
  return { binary, address: null, functions: code.split('+').map(parseFunction) };
}

function parseFunction(text: string): DrawnFunction {
  const match = /^([^@]+)(?:@(.+):(\d+))?$/.exec(text);
  assert(match !== null, `"${text}" is not a drawn function`);
  const [, name = '', file = '', line = '0'] = match;
  return { name, file, line: Number(line) };
}

export function formatFrame({ binary, address, functions }: DrawnFrame): string {
  const code =
    address === null ? functions.map(formatFunction).join('+') : `0x${address.toString(16)}`;
  return binary === DEFAULT_BINARY ? code : `${binary}!${code}`;
}

function formatFunction({ name, file, line }: DrawnFunction): string {
  return file === '' ? name : `${name}@${file}:${line}`;
}
