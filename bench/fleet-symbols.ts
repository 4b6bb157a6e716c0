/** Symbol files of the fleet's binaries, placed where a server finds them when it starts. */
import { join } from 'node:path';
import type { EpochMs } from '../profile/units.ts';
import { type CodePiece, FUNCTION_NODE } from '../symbolizer/code-piece.ts';
import { DebuginfoTable } from '../symbolizer/debuginfo/debuginfo-table.ts';
import { SymbolFileBuilder } from '../symbolizer/symbol-file/symbol-file-builder.ts';
import { BINARIES, type Fleet, FUNCTION_BYTES } from './fleet.ts';
import { binaryBuildId, binaryName } from './fleet-request.ts';

const NO_SYMBOLS = {
  count: 0,
  start: new Float64Array(0),
  size: new Float64Array(0),
  sectionEnd: new Float64Array(0),
  table: new Uint8Array(0),
  nameOffset: new Uint32Array(0),
  nameLength: new Uint32Array(0),
  rank: new Uint8Array(0),
  tables: [],
  fromSymtab: false,
  fromDynsym: false,
  skipped: 0,
};
/** Every so many functions have a call inlined into them. */
const INLINED_EVERY = 4;

/** Makes all of them in `dataDir`, which no server has open. */
export function placeSymbolFiles(dataDir: string, fleet: Fleet): void {
  const ends = new Float64Array(BINARIES);
  for (const { binary, address } of fleet.locations) {
    if (binary >= 0) ends[binary] = Math.max(ends[binary] as number, address);
  }
  const clock = () => Date.now() as EpochMs;
  const table = new DebuginfoTable({ dir: join(dataDir, 'debuginfo'), maxBytes: 1e9, clock });
  for (let binary = 0; binary < BINARIES; binary++) {
    const buildId = binaryBuildId(binary);
    const entry = table.ensure(buildId, binaryName(binary));
    const head = {
      buildId,
      elfType: 3,
      machine: 62,
      segments: [{ offset: 0, fileSize: 2 ** 24, vaddr: 0, memSize: 2 ** 24, flags: 5 }],
      fromDwarf: true,
      fromPclntab: false,
      leftOut: {},
    };
    const builder = new SymbolFileBuilder();
    for (let start = 0x1000; start <= (ends[binary] as number); start += FUNCTION_BYTES) {
      builder.add(functionPiece(builder, binary, start));
    }
    const { leftOut, ...facts } = builder.finish(table.files(buildId).symbols, head, NO_SYMBOLS);
    table.save({ ...entry, generation: 1, facts, leftOut, hasSegments: true });
  }
}

function functionPiece(builder: SymbolFileBuilder, binary: number, start: number): CodePiece {
  const fn = (start - 0x1000) / FUNCTION_BYTES;
  const text = (value: string) => builder.texts.internText(value);
  const file = text(`/src/lib-${binary}/part-${fn % 40}.cc`);
  const isCaller = fn % INLINED_EVERY === 0;
  return {
    start,
    end: start + FUNCTION_BYTES,
    name: text(`_ZN7lib_${String(binary).padStart(3, '0')}${mangled(`function_${fn}`)}Ei`),
    nodeCount: isCaller ? 1 : 0,
    nodeParent: Int32Array.of(FUNCTION_NODE),
    nodeName: Int32Array.of(text(`_Z${mangled(`inlined_${binary}_${fn % 60}`)}v`)),
    nodeCallFile: Int32Array.of(file),
    nodeCallLine: Int32Array.of(fn + 20),
    rowCount: 3,
    rowAddress: Float64Array.of(start, start + 0x40, start + 0x80),
    rowNode: Int32Array.of(FUNCTION_NODE, isCaller ? 0 : FUNCTION_NODE, FUNCTION_NODE),
    rowFile: Int32Array.of(file, file, file),
    rowLine: Int32Array.of(fn + 10, fn + 20, fn + 30),
  };
}

/** An identifier as Itanium C++ mangling has it: its length before it. */
const mangled = (name: string) => `${name.length}${name}`;
