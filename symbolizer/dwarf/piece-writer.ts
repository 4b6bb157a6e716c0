/** Joins the scopes of a unit's functions with its line table and hands over the code pieces. */
import { type CodePiece, type CodeSink, FUNCTION_NODE, NO_TEXT } from '../code-piece.ts';
import type { LineTable } from './line-program.ts';
import { ScopePainter } from './scope-painter.ts';
import { grownIntegers, grownNumbers, NONE, type UnitScopes } from './unit-scopes.ts';
import type { WorkBudget } from './work-budget.ts';

/** What a row or node costs of the budget; each was at least as many bytes of input. */
const ROW_BYTES = 1;
const NODE_BYTES = 4;

export class PieceWriter {
  functions = 0;
  inlinedCalls = 0;
  readonly #sink: CodeSink;
  readonly #budget: WorkBudget;
  readonly #painter = new ScopePainter();
  readonly #piece: CodePiece = emptyPiece();
  readonly #scopes: UnitScopes;
  #lines: LineTable | null = null;
  /** By scope: its node in the piece whose number is in `#pieceOf`. */
  #nodeOf: Int32Array = new Int32Array(256);
  #pieceOf: Int32Array = new Int32Array(256);
  #pieceNumber = 0;
  /** Scopes that get a node, the innermost first. */
  #path: Int32Array = new Int32Array(64);
  /** Stretches of the unit that pieces were made of, for what is left over. */
  #coveredCount = 0;
  #coveredStart: Float64Array = new Float64Array(256);
  #coveredEnd: Float64Array = new Float64Array(256);

  constructor(sink: CodeSink, scopes: UnitScopes, budget: WorkBudget) {
    this.#sink = sink;
    this.#scopes = scopes;
    this.#budget = budget;
  }

  /** Hands over a unit: its functions, then lines that are in none (assembly). */
  writeUnit(lines: LineTable | null): void {
    const scopes = this.#scopes;
    this.#lines = lines;
    this.#coveredCount = 0;
    while (this.#nodeOf.length < scopes.scopeCount) {
      this.#nodeOf = grownIntegers(this.#nodeOf);
      this.#pieceOf = grownIntegers(this.#pieceOf);
    }
    // Of functions at the same place (folded ones) the last one of the unit holds.
    for (let scope = scopes.scopeCount - 1; scope >= 0; scope--) {
      if (scopes.parent[scope] === NONE && scopes.lastRange[scope] !== NONE) {
        this.#writeFunction(scope);
      }
    }
    if (lines !== null) this.#writeRest(lines);
  }

  #writeFunction(scope: number): void {
    const painter = this.#painter;
    painter.paint(this.#scopes, this.#scopes.lastRange[scope] as number);
    const { cellCount, owner, cuts } = painter;
    this.functions++;
    this.#piece.name = this.#scopes.name[scope] as number as CodePiece['name'];
    let first = 0;
    while (first < cellCount) {
      if (owner[first] === NONE) {
        first++;
        continue;
      }
      let last = first + 1;
      while (last < cellCount && owner[last] !== NONE) last++;
      this.#begin(cuts[first] as number, cuts[last] as number);
      this.#fillRows(first);
      this.#finish();
      this.#cover();
      first = last;
    }
  }

  #begin(start: number, end: number): void {
    const piece = this.#piece;
    piece.start = start;
    piece.end = end;
    piece.nodeCount = 0;
    piece.rowCount = 0;
    // A number of 31 bits is enough: a piece takes bytes of the input.
    this.#pieceNumber = (this.#pieceNumber + 1) | 0;
  }

  #finish(): void {
    const piece = this.#piece;
    this.inlinedCalls += piece.nodeCount;
    this.#budget.spend(piece.nodeCount * NODE_BYTES);
    this.#sink.add(piece);
  }

  /** The rows of the piece that begins with a cell: cells and line rows side by side. */
  #fillRows(firstCell: number): void {
    const { start, end } = this.#piece;
    const { cuts, owner } = this.#painter;
    const lines = this.#lines;
    const rowCount = lines === null ? 0 : lines.count;
    const firstRow = lines === null ? -1 : rowAt(lines, start);
    let row = firstRow;
    let cell = firstCell;
    let at = start;
    for (;;) {
      const node = this.#node(owner[cell] as number);
      const isKnown = lines !== null && row >= 0 && lines.end[row] === 0;
      const file = isKnown ? (lines.file[row] as number) : NO_TEXT;
      const line = isKnown ? (lines.line[row] as number) : 0;
      this.#addRow(at, node, file, line);
      const cellEnd = cuts[cell + 1] as number;
      at = cellEnd;
      if (lines !== null && row + 1 < rowCount) {
        const rowEnd = lines.address[row + 1] as number;
        if (rowEnd < at) at = rowEnd;
      }
      if (at >= end) break;
      if (at === cellEnd) cell++;
      if (lines !== null) {
        while (row + 1 < rowCount && (lines.address[row + 1] as number) <= at) row++;
      }
    }
    this.#budget.spend((row - firstRow) * ROW_BYTES);
  }

  /** Leaves out what says the same as the row before. */
  #addRow(address: number, node: number, file: number, line: number): void {
    const piece = this.#piece;
    const count = piece.rowCount;
    if (
      count > 0 &&
      piece.rowNode[count - 1] === node &&
      piece.rowFile[count - 1] === file &&
      piece.rowLine[count - 1] === line
    ) {
      return;
    }
    if (count === piece.rowAddress.length) {
      piece.rowAddress = grownNumbers(piece.rowAddress);
      piece.rowNode = grownIntegers(piece.rowNode);
      piece.rowFile = grownIntegers(piece.rowFile);
      piece.rowLine = grownIntegers(piece.rowLine);
    }
    piece.rowAddress[count] = address;
    piece.rowNode[count] = node;
    piece.rowFile[count] = file;
    piece.rowLine[count] = line;
    piece.rowCount = count + 1;
  }

  /** The node of a scope in the piece; it and those around it get one where they have none. */
  #node(scope: number): number {
    const { parent } = this.#scopes;
    let depth = 0;
    let at = scope;
    while (parent[at] !== NONE && this.#pieceOf[at] !== this.#pieceNumber) {
      if (depth === this.#path.length) this.#path = grownIntegers(this.#path);
      this.#path[depth++] = at;
      at = parent[at] as number;
    }
    let node = parent[at] === NONE ? FUNCTION_NODE : (this.#nodeOf[at] as number);
    while (depth > 0) {
      const inner = this.#path[--depth] as number;
      node = this.#addNode(inner, node);
      this.#nodeOf[inner] = node;
      this.#pieceOf[inner] = this.#pieceNumber;
    }
    return node;
  }

  #addNode(scope: number, parent: number): number {
    const piece = this.#piece;
    const scopes = this.#scopes;
    const node = piece.nodeCount++;
    if (node === piece.nodeParent.length) {
      piece.nodeParent = grownIntegers(piece.nodeParent);
      piece.nodeName = grownIntegers(piece.nodeName);
      piece.nodeCallFile = grownIntegers(piece.nodeCallFile);
      piece.nodeCallLine = grownIntegers(piece.nodeCallLine);
    }
    const callFile = scopes.callFile[scope] as number;
    const isKnown = this.#lines !== null && callFile !== NONE;
    piece.nodeParent[node] = parent;
    piece.nodeName[node] = scopes.name[scope] as number;
    piece.nodeCallFile[node] = isKnown ? (this.#lines?.fileText(callFile) ?? NO_TEXT) : NO_TEXT;
    piece.nodeCallLine[node] = scopes.callLine[scope] as number;
    return node;
  }

  #cover(): void {
    const count = this.#coveredCount++;
    if (count === this.#coveredStart.length) {
      this.#coveredStart = grownNumbers(this.#coveredStart);
      this.#coveredEnd = grownNumbers(this.#coveredEnd);
    }
    this.#coveredStart[count] = this.#piece.start;
    this.#coveredEnd[count] = this.#piece.end;
  }

  /** Pieces without a name from line rows that no function covers. */
  #writeRest(lines: LineTable): void {
    const order = this.#coveredOrder();
    const starts = this.#coveredStart;
    const ends = this.#coveredEnd;
    let next = 0;
    let coveredTo = Number.NEGATIVE_INFINITY;
    this.#piece.name = NO_TEXT;
    this.#piece.rowCount = 0;
    this.#piece.nodeCount = 0;
    for (let row = 0; row + 1 < lines.count; row++) {
      if (lines.end[row] === 1) continue;
      const end = lines.address[row + 1] as number;
      let at = Math.max(lines.address[row] as number, coveredTo);
      while (at < end) {
        const index = order[next];
        const start = index === undefined ? Number.POSITIVE_INFINITY : (starts[index] as number);
        if (at < start) this.#addRest(at, Math.min(start, end), lines, row);
        if (start >= end) break;
        next++;
        coveredTo = Math.max(coveredTo, ends[index as number] as number);
        at = Math.max(at, coveredTo);
      }
    }
    this.#flushRest();
  }
  /** The stretches by address. Compilers have them in order, and they were written backwards. */
  #coveredOrder(): Uint32Array {
    const count = this.#coveredCount;
    const starts = this.#coveredStart;
    const order = new Uint32Array(count);
    let isOrdered = true;
    for (let i = 0; i < count; i++) {
      const index = count - 1 - i;
      order[i] = index;
      if (i > 0 && (starts[index] as number) < (starts[index + 1] as number)) isOrdered = false;
    }
    if (!isOrdered) order.sort((a, b) => (starts[a] as number) - (starts[b] as number));
    return order;
  }

  #addRest(start: number, end: number, lines: LineTable, row: number): void {
    const piece = this.#piece;
    if (piece.rowCount === 0 || piece.end !== start) {
      this.#flushRest();
      this.#begin(start, end);
    }
    this.#addRow(start, FUNCTION_NODE, lines.file[row] as number, lines.line[row] as number);
    piece.end = end;
  }

  #flushRest(): void {
    if (this.#piece.rowCount > 0) this.#sink.add(this.#piece);
    this.#piece.rowCount = 0;
  }
}

/** The last row at or before an address, or -1. */
function rowAt(lines: LineTable, address: number): number {
  let low = 0;
  let high = lines.count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((lines.address[middle] as number) <= address) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

function emptyPiece(): CodePiece {
  return {
    start: 0,
    end: 0,
    name: NO_TEXT,
    nodeCount: 0,
    nodeParent: new Int32Array(64),
    nodeName: new Int32Array(64),
    nodeCallFile: new Int32Array(64),
    nodeCallLine: new Int32Array(64),
    rowCount: 0,
    rowAddress: new Float64Array(256),
    rowNode: new Int32Array(256),
    rowFile: new Int32Array(256),
    rowLine: new Int32Array(256),
  };
}
