/** Functions, variables and special names: sections 5.1.1 and 5.1.4 of the Itanium C++ ABI. */
import { NotMangled } from './cursor.ts';
import type { Mangled } from './grammar.ts';
import { type Node, piecesNode } from './nodes.ts';

const TABLES: Record<string, string> = {
  TV: 'vtable for ',
  TT: 'VTT for ',
  TI: 'typeinfo for ',
  TS: 'typeinfo name for ',
  TF: 'typeinfo fn for ',
};
const OF_NAMES: Record<string, string> = {
  GV: 'guard variable for ',
  TH: 'TLS init function for ',
  TW: 'TLS wrapper function for ',
};
const OF_ENCODINGS: Record<string, string> = {
  GA: 'hidden alias for ',
  GTt: 'transaction clone for ',
  GTn: 'non-transaction clone for ',
};

export function parseEncoding(input: Mangled): Node {
  return input.deeper(() => {
    const kind = input.peek();
    if (kind === 'T' || kind === 'G') return parseSpecialName(input);
    const name = input.rules.name(input);
    if (atEnd(input)) return name;
    const returns = hasResult(name);
    const result = returns ? input.rules.type(input) : null;
    const params = input.rules.parameters(input);
    const encoding: Node = { kind: 'encoding', name, result, params };
    if (!input.skip('Q')) return encoding;
    return piecesNode([encoding, ' requires ', input.rules.expression(input)]);
  });
}

/** Variables have no parameters. */
function atEnd(input: Mangled): boolean {
  const next = input.peek();
  return next === '' || next === 'E' || next === '.';
}

/** Only templates are mangled with what they return, except where the name tells it. */
function hasResult(name: Node): boolean {
  if (name.kind === 'member') return hasResult(name.name);
  if (name.kind === 'local') return hasResult(name.entity);
  if (name.kind !== 'template') return false;
  let last = name.name;
  while (last.kind === 'scoped' || last.kind === 'tagged') last = last.name;
  return last.kind !== 'structor' && last.kind !== 'conversion';
}

function parseSpecialName(input: Mangled): Node {
  const code = input.take(2);
  const table = TABLES[code];
  if (table !== undefined) return piecesNode([table, input.rules.type(input)]);
  const before = OF_NAMES[code];
  if (before !== undefined) return piecesNode([before, input.rules.name(input)]);
  switch (code) {
    case 'Th':
    case 'Tv':
    case 'Tc':
      return parseThunk(input, code);
    case 'TC': {
      const derived = input.rules.type(input);
      input.number();
      input.expect('_');
      return piecesNode(['construction vtable for ', input.rules.type(input), '-in-', derived]);
    }
    case 'TA':
      return piecesNode(['template parameter object for ', input.rules.templateArg(input)]);
    case 'GR': {
      const name = input.rules.name(input);
      return piecesNode([`reference temporary #${input.sequenceId(36)} for `, name]);
    }
    case 'GI':
      return piecesNode(['initializer for module ', input.rules.moduleName(input)]);
  }
  const whole = code === 'GT' ? code + input.next() : code;
  const prefix = OF_ENCODINGS[whole];
  if (prefix === undefined) throw new NotMangled(`no special name ${whole}`);
  return piecesNode([prefix, parseEncoding(input)]);
}

function parseThunk(input: Mangled, code: string): Node {
  if (code === 'Tc') {
    skipCallOffset(input, input.next());
    skipCallOffset(input, input.next());
    return piecesNode(['covariant return thunk to ', parseEncoding(input)]);
  }
  skipCallOffset(input, code[1] ?? '');
  const kind = code === 'Th' ? 'non-virtual' : 'virtual';
  return piecesNode([`${kind} thunk to `, parseEncoding(input)]);
}

function skipCallOffset(input: Mangled, kind: string): void {
  if (kind !== 'h' && kind !== 'v') throw new NotMangled('no offset of a thunk');
  for (let numbers = kind === 'h' ? 1 : 2; numbers > 0; numbers--) {
    input.skip('n');
    input.number();
    input.expect('_');
  }
}
