/** Literals and entities as template arguments: `<expr-primary>` of the Itanium C++ ABI. */
import type { Mangled } from './grammar.ts';
import { type Node, type Pieces, piecesNode } from './nodes.ts';

/** Integers of these types are written with C++'s own suffix, others behind a cast. */
const SUFFIXES: Record<string, string> = {
  int: '',
  'unsigned int': 'u',
  long: 'l',
  'unsigned long': 'ul',
  'long long': 'll',
  'unsigned long long': 'ull',
};
/** Their values are mangled as bytes in hexadecimal, which are shown as they are. */
const FLOATS =
  /^(?:float|double|long double|__float128|half|decimal(?:32|64|128)|_Float\d+x?|std::bfloat16_t)$/;

export function parseLiteral(input: Mangled): Node {
  input.expect('L');
  if (input.skip('_Z') || input.skip('Z')) {
    const entity = input.deeper(() => input.rules.encoding(input));
    input.expect('E');
    return entity;
  }
  const type = input.rules.type(input);
  const name = type.kind === 'name' ? type.text : '';
  if (input.skip('E')) return piecesNode(name === 'decltype(nullptr)' ? [type] : ['(', type, ')']);
  const sign = input.skip('n') ? '-' : '';
  const value = input.takeUntil('E');
  return piecesNode(literal(type, name, sign, value));
}

function literal(type: Node, name: string, sign: string, value: string): Pieces {
  const suffix = Object.hasOwn(SUFFIXES, name) ? SUFFIXES[name] : undefined;
  if (suffix !== undefined) return [`${sign}${value}${suffix}`];
  if (name === 'bool' && sign === '' && value === '0') return ['false'];
  if (name === 'bool' && sign === '' && value === '1') return ['true'];
  return ['(', type, ')', sign, FLOATS.test(name) ? `[${value}]` : value];
}
