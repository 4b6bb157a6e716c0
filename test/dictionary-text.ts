/**
 * Dictionaries drawn as text, one stack per line, root first:
 *
 *   main@/usr/bin/app;outer>inner@/lib/libc.so;sys_read@[kernel]{kernel}
 *
 * `outer>inner` is one location in which `inner` was inlined into `outer`; `main:12` has line 12,
 * `main(src.c):12` a file too; `0x1f@/bin/x#abc` is an unnamed ELF address in build `abc`,
 * `file:0x1f@/bin/x#abc` a file offset.
 */
import type { DictionaryColumns } from '../profile/dictionary.ts';
import { AddressSpace, FrameKind } from '../profile/flame/frame.ts';

export function parseDictionaryText(text: string): DictionaryColumns {
  const tables = new Tables();
  const lines = text.split('\n').map((line) => line.trim());
  for (const line of lines) if (line !== '') tables.addStack(line);
  return tables.columns();
}

/** Rows by their content. */
class Interned<T> {
  readonly rows: T[] = [];
  readonly #known = new Map<string, number>();

  add(row: T): number {
    const key = JSON.stringify(row);
    let index = this.#known.get(key);
    if (index === undefined) {
      index = this.rows.push(row) - 1;
      this.#known.set(key, index);
    }
    return index;
  }
}

interface LocationRow {
  binary: number;
  buildId: number;
  space: number;
  kind: number;
  address: number;
  /** Innermost first: [function, line]. */
  lines: [number, number][];
}

class Tables {
  readonly #strings = new Interned<string>();
  readonly #functions = new Interned<{ name: number; file: number }>();
  readonly #locations = new Interned<LocationRow>();
  readonly #stacks: number[][] = [];

  constructor() {
    this.#strings.add('');
  }

  addStack(line: string): void {
    const frames = line === '-' ? [] : line.split(';');
    this.#stacks.push(frames.map((frame) => this.#location(frame)).reverse());
  }

  #location(text: string): number {
    const match = /^(.*?)(?:@([^#{}]*))?(?:#([^{}]*))?(?:\{(\w+)\})?$/.exec(text);
    const [, names = '', binary = '', buildId = '', kind = 'native'] = match ?? [];
    const native = /^(file:)?(0x[0-9a-f]+)$/.exec(names);
    const space = native?.[1] === undefined ? AddressSpace.elf : AddressSpace.file;
    return this.#locations.add({
      binary: this.#strings.add(binary),
      buildId: this.#strings.add(buildId),
      space: native === null ? AddressSpace.none : space,
      kind: FrameKind[kind as keyof typeof FrameKind],
      address: native === null ? 0 : Number(native[2]),
      lines:
        native === null
          ? names
              .split('>')
              .map((name) => this.#line(name))
              .reverse()
          : [],
    });
  }

  #line(text: string): [number, number] {
    const [, name = text, file = '', line = '0'] =
      /^(.*?)(?:\(([^)]*)\))?(?::(\d+))?$/.exec(text) ?? [];
    const row = { name: this.#strings.add(name), file: this.#strings.add(file) };
    return [this.#functions.add(row), Number(line)];
  }

  columns(): DictionaryColumns {
    const functions = this.#functions.rows;
    const locations = this.#locations.rows;
    const lines = locations.flatMap((row) => row.lines);
    const words = (values: readonly number[]) => Uint32Array.from(values);
    const bytes = this.#strings.rows.map((text) => new TextEncoder().encode(text));
    return {
      strings: {
        count: bytes.length,
        offsets: offsetsOf(bytes.map((text) => text.length)),
        bytes: Uint8Array.from(bytes.flatMap((text) => [...text])),
      },
      functions: {
        count: functions.length,
        name: words(functions.map((row) => row.name)),
        systemName: words(functions.map((row) => row.name)),
        file: words(functions.map((row) => row.file)),
        startLine: new Uint32Array(functions.length),
      },
      locations: {
        count: locations.length,
        binary: words(locations.map((row) => row.binary)),
        buildId: words(locations.map((row) => row.buildId)),
        space: Uint8Array.from(locations, (row) => row.space),
        kind: Uint8Array.from(locations, (row) => row.kind),
        flags: new Uint8Array(locations.length),
        address: words(locations.flatMap((row) => [row.address >>> 0, row.address / 2 ** 32])),
        lineOffsets: offsetsOf(locations.map((row) => row.lines.length)),
        lineFunction: words(lines.map(([row]) => row)),
        lineNumber: words(lines.map(([, line]) => line)),
        lineColumn: new Uint32Array(lines.length),
      },
      stacks: {
        count: this.#stacks.length,
        offsets: offsetsOf(this.#stacks.map((stack) => stack.length)),
        locations: words(this.#stacks.flat()),
      },
    };
  }
}

function offsetsOf(sizes: readonly number[]): Uint32Array {
  const offsets = new Uint32Array(sizes.length + 1);
  for (const [row, size] of sizes.entries()) offsets[row + 1] = (offsets[row] as number) + size;
  return offsets;
}
