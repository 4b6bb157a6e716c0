/**
 * Functions, locations and their lines: most of a profile's fields. The loops keep the position in
 * a local and read values of one or two bytes themselves. Reading past the input gives undefined
 * and a position beyond the end, which the caller refuses.
 */
import {
  MAX_FUNCTIONS_PER_PROFILE,
  MAX_LINES_PER_LOCATION,
  MAX_LINES_PER_PROFILE,
  MAX_LOCATIONS_PER_PROFILE,
} from '../limits.ts';
import { growTable, type PprofColumns } from './columns.ts';
import { type PprofWire, tooMany } from './wire.ts';

export function readFunction(wire: PprofWire, columns: PprofColumns, end: number): void {
  const { functions } = columns;
  const { bytes } = wire;
  const row = functions.count;
  if (row >= MAX_FUNCTIONS_PER_PROFILE) tooMany({ MAX_FUNCTIONS_PER_PROFILE });
  if (row === functions.id.length) growTable(functions);
  let id = 0;
  let name = 0;
  let systemName = 0;
  let file = 0;
  let startLine = 0;
  let pos = wire.pos;
  while (pos < end) {
    const at = pos;
    const tag = bytes[pos++] as number;
    let value = bytes[pos++] as number;
    if (value > 127) {
      const byte = bytes[pos++] as number;
      value = (value & 127) | (byte << 7);
      if (!(byte < 128)) {
        value = wire.varintAt(at + 1);
        pos = wire.pos;
      }
    }
    if (tag === 8) id = value >= 0 ? value : wire.wideId();
    else if (tag === 16) name = value;
    else if (tag === 24) systemName = value;
    else if (tag === 32) file = value;
    else if (tag === 40) startLine = value >= 0 ? value : wire.wideLine();
    else pos = wire.unknownAt(at, 5, end);
  }
  wire.pos = pos;
  functions.id[row] = id;
  functions.name[row] = name;
  functions.systemName[row] = systemName;
  functions.file[row] = file;
  functions.startLine[row] = startLine;
  functions.count = row + 1;
}

export function readLocation(wire: PprofWire, columns: PprofColumns, end: number): void {
  const { locations, lines } = columns;
  const { bytes } = wire;
  const row = locations.count;
  if (row >= MAX_LOCATIONS_PER_PROFILE) tooMany({ MAX_LOCATIONS_PER_PROFILE });
  if (row === locations.id.length) growTable(locations);
  const firstLine = lines.count;
  let id = 0;
  let mapping = 0;
  let folded = 0;
  let low = 0;
  let high = 0;
  let pos = wire.pos;
  while (pos < end) {
    const at = pos;
    const tag = bytes[pos++] as number;
    let value = bytes[pos++] as number;
    if (value > 127) {
      const byte = bytes[pos++] as number;
      value = (value & 127) | (byte << 7);
      if (!(byte < 128)) {
        value = wire.varintAt(at + 1);
        pos = wire.pos;
      }
    }
    if (tag === 34) {
      wire.pos = pos;
      if (!(value >= 0 && pos + value <= end)) wire.fail('a line runs over its location');
      if (lines.count - firstLine >= MAX_LINES_PER_LOCATION) tooMany({ MAX_LINES_PER_LOCATION });
      pos += value;
      readLine(wire, lines, pos);
    } else if (tag === 8) id = value >= 0 ? value : wire.wideId();
    else if (tag === 16) mapping = value >= 0 ? value : wire.wideId();
    else if (tag === 24) {
      low = value >= 0 ? value : wire.low;
      high = value >= 0 ? 0 : wire.high;
    } else if (tag === 40) folded = value === 0 ? 0 : 1;
    else pos = wire.unknownAt(at, 5, end);
  }
  wire.pos = pos;
  locations.id[row] = id;
  locations.mapping[row] = mapping;
  locations.folded[row] = folded;
  locations.address[row * 2] = low;
  locations.address[row * 2 + 1] = high;
  locations.lines[row] = firstLine;
  locations.count = row + 1;
}

function readLine(wire: PprofWire, lines: PprofColumns['lines'], end: number): void {
  const { bytes } = wire;
  const row = lines.count;
  if (row >= MAX_LINES_PER_PROFILE) tooMany({ MAX_LINES_PER_PROFILE });
  if (row === lines.function.length) growTable(lines);
  let functionId = 0;
  let line = 0;
  let column = 0;
  let pos = wire.pos;
  while (pos < end) {
    const at = pos;
    const tag = bytes[pos++] as number;
    let value = bytes[pos++] as number;
    if (value > 127) {
      const byte = bytes[pos++] as number;
      value = (value & 127) | (byte << 7);
      if (!(byte < 128)) {
        value = wire.varintAt(at + 1);
        pos = wire.pos;
      }
    }
    if (tag === 8) functionId = value >= 0 ? value : wire.wideId();
    else if (tag === 16) line = value >= 0 ? value : wire.wideLine();
    else if (tag === 24) column = value >= 0 ? value : wire.wideLine();
    else pos = wire.unknownAt(at, 3, end);
  }
  wire.pos = pos;
  wire.checkEnd(end);
  lines.function[row] = functionId;
  lines.line[row] = line;
  lines.column[row] = column;
  lines.count = row + 1;
}
