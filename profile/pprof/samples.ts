/** Samples: their stacks, values and labels. */
import {
  MAX_LABELS_PER_PROFILE,
  MAX_SAMPLES_PER_PROFILE,
  MAX_STACK_DEPTH,
  MAX_STACK_ENTRIES_PER_PROFILE,
  MAX_VALUES_PER_PROFILE,
} from '../limits.ts';
import { growTable, type PprofColumns } from './columns.ts';
import { type PprofWire, tooMany } from './wire.ts';

export function readSample(wire: PprofWire, columns: PprofColumns, end: number): void {
  const { samples, stackLocations, values, labels } = columns;
  const row = samples.count;
  if (row >= MAX_SAMPLES_PER_PROFILE) tooMany({ MAX_SAMPLES_PER_PROFILE });
  if (row + 1 >= samples.stack.length) growTable(samples);
  samples.stack[row] = stackLocations.count;
  samples.value[row] = values.count;
  samples.label[row] = labels.count;
  while (wire.pos < end) {
    const tag = wire.varint();
    if (tag === 10) readStack(wire, stackLocations, wire.end(end));
    else if (tag === 18) readValues(wire, values, wire.end(end));
    else if (tag === 26) readLabel(wire, labels, wire.end(end));
    else if (tag === 8) readStackEntry(wire, stackLocations);
    else if (tag === 16) readValue(wire, values);
    else wire.unknown(tag, 3, end);
  }
  const depth = stackLocations.count - (samples.stack[row] as number);
  if (depth > MAX_STACK_DEPTH) tooMany({ MAX_STACK_DEPTH });
  samples.count = row + 1;
}

type StackLocations = PprofColumns['stackLocations'];

/** A packed stack. One or two bytes per location, so they are read here. */
function readStack(wire: PprofWire, stackLocations: StackLocations, end: number): void {
  // An id has at most ten bytes; this bounds what the loop below makes room for.
  if (end - wire.pos > MAX_STACK_DEPTH * 10) tooMany({ MAX_STACK_DEPTH });
  while (stackLocations.location.length - stackLocations.count < end - wire.pos) {
    growStacks(stackLocations);
  }
  const { bytes } = wire;
  const { location } = stackLocations;
  let { count } = stackLocations;
  let pos = wire.pos;
  while (pos < end) {
    let id = bytes[pos++] as number;
    if (id > 127) {
      const byte = bytes[pos++] as number;
      if (byte < 128) id = (id & 127) | (byte << 7);
      else {
        wire.pos = pos - 2;
        id = wire.id();
        pos = wire.pos;
      }
    }
    location[count++] = id;
  }
  stackLocations.count = count;
  wire.pos = pos;
  wire.checkEnd(end);
}

function growStacks(stackLocations: StackLocations): void {
  if (stackLocations.location.length >= MAX_STACK_ENTRIES_PER_PROFILE) {
    tooMany({ MAX_STACK_ENTRIES_PER_PROFILE });
  }
  growTable(stackLocations);
}

function readStackEntry(wire: PprofWire, stackLocations: StackLocations): void {
  if (stackLocations.count === stackLocations.location.length) growStacks(stackLocations);
  stackLocations.location[stackLocations.count++] = wire.id();
}

function readValues(wire: PprofWire, values: PprofColumns['values'], end: number): void {
  while (wire.pos < end) readValue(wire, values);
  wire.checkEnd(end);
}

function readValue(wire: PprofWire, values: PprofColumns['values']): void {
  if (values.count >= MAX_VALUES_PER_PROFILE) tooMany({ MAX_VALUES_PER_PROFILE });
  if (values.count * 2 === values.value.length) growTable(values);
  wire.halves(values.value, values.count++);
}

function readLabel(wire: PprofWire, labels: PprofColumns['labels'], end: number): void {
  const row = labels.count;
  if (row >= MAX_LABELS_PER_PROFILE) tooMany({ MAX_LABELS_PER_PROFILE });
  if (row === labels.key.length) growTable(labels);
  labels.key[row] = 0;
  labels.text[row] = 0;
  labels.unit[row] = 0;
  labels.number.fill(0, row * 2, row * 2 + 2);
  while (wire.pos < end) {
    const tag = wire.varint();
    if (tag === 8) labels.key[row] = wire.varint();
    else if (tag === 16) labels.text[row] = wire.varint();
    else if (tag === 24) wire.halves(labels.number, row);
    else if (tag === 32) labels.unit[row] = wire.varint();
    else wire.unknown(tag, 4, end);
  }
  wire.checkEnd(end);
  labels.count = row + 1;
}
