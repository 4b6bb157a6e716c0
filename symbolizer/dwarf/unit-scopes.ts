/**
 * The functions of one unit and the calls inlined into them, in the order of their entries, and the
 * ranges of both. Columns, used again for the next unit.
 */

/** No scope, no range, no file. */
export const NONE = -1;

export class UnitScopes {
  scopeCount = 0;
  /** The scope it is inlined into; NONE for a function. */
  parent: Int32Array = new Int32Array(256);
  /** The function it is in; a function is its own. */
  functionOf: Int32Array = new Int32Array(256);
  /** A TextId. */
  name: Int32Array = new Int32Array(256);
  /** DW_AT_call_file, an index into the unit's line table; NONE where it is missing. */
  callFile: Int32Array = new Int32Array(256);
  callLine: Int32Array = new Int32Array(256);
  /** Of a function: the last range of it or of what is inlined into it. */
  lastRange: Int32Array = new Int32Array(256);

  rangeCount = 0;
  low: Float64Array = new Float64Array(256);
  high: Float64Array = new Float64Array(256);
  scope: Int32Array = new Int32Array(256);
  /** The range before it of the same function, or NONE. */
  previous: Int32Array = new Int32Array(256);

  clear(): void {
    this.scopeCount = 0;
    this.rangeCount = 0;
  }

  addScope(parent: number, name: number, callFile: number, callLine: number): number {
    const scope = this.scopeCount++;
    if (scope === this.parent.length) this.#growScopes();
    this.parent[scope] = parent;
    this.functionOf[scope] = parent === NONE ? scope : (this.functionOf[parent] as number);
    this.name[scope] = name;
    this.callFile[scope] = callFile;
    this.callLine[scope] = callLine;
    this.lastRange[scope] = NONE;
    return scope;
  }

  addRange(scope: number, low: number, high: number): void {
    const range = this.rangeCount++;
    if (range === this.low.length) this.#growRanges();
    const inFunction = this.functionOf[scope] as number;
    this.low[range] = low;
    this.high[range] = high;
    this.scope[range] = scope;
    this.previous[range] = this.lastRange[inFunction] as number;
    this.lastRange[inFunction] = range;
  }

  #growScopes(): void {
    this.parent = grownIntegers(this.parent);
    this.functionOf = grownIntegers(this.functionOf);
    this.name = grownIntegers(this.name);
    this.callFile = grownIntegers(this.callFile);
    this.callLine = grownIntegers(this.callLine);
    this.lastRange = grownIntegers(this.lastRange);
  }

  #growRanges(): void {
    this.low = grownNumbers(this.low);
    this.high = grownNumbers(this.high);
    this.scope = grownIntegers(this.scope);
    this.previous = grownIntegers(this.previous);
  }
}

export function grownIntegers(column: Int32Array): Int32Array {
  const grown = new Int32Array(column.length * 2);
  grown.set(column);
  return grown;
}

export function grownNumbers(column: Float64Array): Float64Array {
  const grown = new Float64Array(column.length * 2);
  grown.set(column);
  return grown;
}
