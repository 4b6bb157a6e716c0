/** Expressions of the Itanium C++ ABI, section 5.1.6: array sizes, `decltype`, arguments. */
import { isDigit, NotMangled } from './cursor.ts';
import type { Mangled } from './grammar.ts';
import { BINARY_OPERATORS, NAMED_CASTS, UNARY_OPERATORS } from './itanium-operators.ts';
import { type Node, nameNode, operand, type Pieces, piecesNode, separated } from './nodes.ts';

type Rule = (input: Mangled) => Node;

const FOLDS: Record<string, Rule> = {
  fl: (input) => fold(input, (operator, pack) => ['(...', operator, ...pack, ')']),
  fr: (input) => fold(input, (operator, pack) => ['(', ...pack, operator, '...)']),
  fL: binaryFold,
  fR: binaryFold,
};

/** Expressions with a form of their own, by their code, which is skipped already. */
const RULES: Record<string, Rule> = {
  ...FOLDS,
  cl: (input) => call(parseExpression(input), input.untilEnd(parseExpression)),
  cp: (input) => call(parseExpression(input), input.untilEnd(parseExpression)),
  cv: parseConversion,
  tl: (input) => {
    const type = input.rules.type(input);
    return piecesNode([type, braced(input.untilEnd(parseExpression))], true);
  },
  il: (input) => braced(input.untilEnd(parseExpression)),
  di: (input) => designated(input, ['.', input.rules.unqualifiedName(input, null)]),
  dx: (input) => designated(input, ['[', parseExpression(input), ']']),
  dX: (input) => {
    const first = parseExpression(input);
    return designated(input, ['[', first, ' ... ', parseExpression(input), ']']);
  },
  ix: (input) => {
    const array = parseExpression(input);
    return piecesNode([...operand(array), '[', parseExpression(input), ']']);
  },
  qu: (input) => {
    const condition = parseExpression(input);
    const yes = parseExpression(input);
    const no = parseExpression(input);
    return piecesNode([...operand(condition), '?', ...operand(yes), ' : ', ...operand(no)]);
  },
  nw: (input) => parseNew(input, 'new '),
  na: (input) => parseNew(input, 'new[] '),
  st: (input) => piecesNode(['sizeof (', input.rules.type(input), ')']),
  at: (input) => piecesNode(['alignof (', input.rules.type(input), ')']),
  ti: (input) => piecesNode(['typeid (', input.rules.type(input), ')']),
  nx: (input) => piecesNode(['noexcept(', parseExpression(input), ')']),
  sZ: (input) => ({ kind: 'pack-size', pattern: parseExpression(input) }),
  sP: (input) => ({
    kind: 'pack-size',
    pattern: { kind: 'pack', args: input.untilEnd(parseArgument) },
  }),
  sp: (input) => ({ kind: 'expansion', pattern: parseExpression(input) }),
  tr: () => piecesNode(['throw']),
  sr: parseScope,
  on: parseOperator,
  dn: parseDestructor,
};

export function parseExpression(input: Mangled): Node {
  return input.deeper(() => {
    const first = input.peek();
    if (first === 'L') return input.rules.literal(input);
    if (first === 'T') return input.rules.templateParam(input);
    if (isDigit(first)) return parseBaseName(input);
    if (input.skip('gs')) return parseGlobal(input);
    if (first === 'f' && /[pL]/.test(input.peek(1)) && !isFold(input)) return parseParm(input);
    if (first === 'u') return parseVendorExpression(input);
    return parseCoded(input);
  });
}

function isFold(input: Mangled): boolean {
  return input.peek(1) === 'L' && !isDigit(input.peek(2));
}

function parseCoded(input: Mangled): Node {
  const code = input.take(2);
  const rule = Object.hasOwn(RULES, code) ? RULES[code] : undefined;
  if (rule !== undefined) return rule(input);
  if (code === 'pp' || code === 'mm') return parseStep(input, code === 'pp' ? '++' : '--');
  const unary = UNARY_OPERATORS.get(code);
  if (unary !== undefined) return parseUnary(input, code, unary);
  const binary = BINARY_OPERATORS.get(code);
  if (binary !== undefined) {
    const left = parseExpression(input);
    const pieces = [...operand(left), binary, ...operand(parseExpression(input))];
    // So that it does not end the template arguments that it may stand in.
    return piecesNode(binary === '>' ? ['(', ...pieces, ')'] : pieces);
  }
  const cast = NAMED_CASTS.get(code);
  if (cast !== undefined) {
    const type = input.rules.type(input);
    return piecesNode([`${cast}<`, type, '>(', parseExpression(input), ')']);
  }
  throw new NotMangled(`no expression ${code}`);
}

function parseUnary(input: Mangled, code: string, operator: string): Node {
  const of = parseExpression(input);
  // The address of a member function needs no parameters to be told.
  const member = code === 'ad' && of.kind === 'encoding' && of.name.kind === 'scoped';
  return piecesNode([operator, ...operand(member ? of.name : of)]);
}

/** `pp_` stands before its operand, `pp` behind it. */
function parseStep(input: Mangled, operator: string): Node {
  if (input.skip('_')) return piecesNode([operator, ...operand(parseExpression(input))]);
  return piecesNode([...operand(parseExpression(input)), operator]);
}

function call(called: Node, args: readonly Node[]): Node {
  // The types of a called function's parameters are not written.
  const name = called.kind === 'encoding' ? called.name : called;
  return piecesNode([...operand(name), '(', listNode(args), ')']);
}

/** A list whose packs may turn out empty, in which case there is no comma. */
function listNode(items: readonly Node[]): Node {
  return { kind: 'pack', args: items };
}

function braced(items: readonly Node[]): Node {
  return piecesNode(['{', listNode(items), '}'], true);
}

function designated(input: Mangled, place: Pieces): Node {
  const value = parseExpression(input);
  const chained = value.kind === 'pieces' && /^[.[]/.test(String(value.pieces[0]));
  return piecesNode([...place, ...(chained ? [value] : ['=', ...operand(value)])], true);
}

function parseConversion(input: Mangled): Node {
  const type = input.rules.type(input);
  if (!input.skip('_')) return piecesNode(['(', type, ')', ...operand(parseExpression(input))]);
  return piecesNode(['(', type, ')(', listNode(input.untilEnd(parseExpression)), ')']);
}

/** Where it is placed, `_`, the type, and how it is initialized. */
function parseNew(input: Mangled, operator: string): Node {
  const placed: Node[] = [];
  while (!input.skip('_')) placed.push(parseExpression(input));
  const place = placed.length === 0 ? [] : ['(', ...separated(placed, ', '), ') '];
  const type = input.rules.type(input);
  if (input.skip('pi')) {
    const args = input.untilEnd(parseExpression);
    return piecesNode([operator, ...place, type, '(', listNode(args), ')']);
  }
  if (input.peek() === 'i') return piecesNode([operator, ...place, type, parseExpression(input)]);
  input.expect('E');
  return piecesNode([operator, ...place, type]);
}

function fold(input: Mangled, write: (operator: string, pack: Pieces) => Pieces): Node {
  const operator = foldedOperator(input);
  return piecesNode(write(operator, operand(parseExpression(input))));
}

function binaryFold(input: Mangled): Node {
  const operator = foldedOperator(input);
  const left = operand(parseExpression(input));
  const right = operand(parseExpression(input));
  return piecesNode(['(', ...left, operator, '...', operator, ...right, ')']);
}

function foldedOperator(input: Mangled): string {
  const operator = BINARY_OPERATORS.get(input.take(2));
  if (operator === undefined) throw new NotMangled('no operator to fold with');
  return operator;
}

/** `fp_` is the first parameter, `fp0_` the second; `fL` counts the functions further out. */
function parseParm(input: Mangled): Node {
  input.expect('f');
  if (input.skip('L')) input.number();
  input.expect('p');
  if (input.skip('T')) return nameNode('this');
  while (/[rVK]/.test(input.peek())) input.at++;
  return nameNode(`{parm#${input.sequenceId(10) + 1}}`);
}

function parseVendorExpression(input: Mangled): Node {
  input.expect('u');
  const name = input.take(input.number());
  const args = input.untilEnd(parseArgument);
  return piecesNode([`${name}(`, listNode(args), ')']);
}

function parseArgument(input: Mangled): Node {
  if (input.skip('X')) {
    const expression = parseExpression(input);
    input.expect('E');
    return expression;
  }
  return input.peek() === 'L' ? input.rules.literal(input) : input.rules.type(input);
}

/** A name that is not looked up yet. */
function parseBaseName(input: Mangled): Node {
  return withArgs(input, input.rules.unqualifiedName(input, null));
}

function withArgs(input: Mangled, name: Node): Node {
  if (input.peek() !== 'I') return name;
  return { kind: 'template', name, args: input.rules.templateArgs(input) };
}

function parseOperator(input: Mangled): Node {
  return withArgs(input, piecesNode([input.rules.operatorName(input)]));
}

function parseDestructor(input: Mangled): Node {
  const of = isDigit(input.peek()) ? parseBaseName(input) : input.rules.type(input);
  return piecesNode(['~', of], true);
}

function parseGlobal(input: Mangled): Node {
  const of = parseExpression(input);
  return piecesNode(['::', of], of.kind === 'name' || of.kind === 'scoped');
}

/**
 * `sr TYPE name` or `sr level... E name`; older compilers write `sr level... name`. Of a type with
 * levels, `srN TYPE level... E name`, GCC makes a nested name, candidates included.
 */
function parseScope(input: Mangled): Node {
  if (isDigit(input.peek())) return parseScopeOfNames(input);
  const scope = withArgs(input, input.rules.type(input));
  return named(scope, parseScopedName(input));
}

function parseScopeOfNames(input: Mangled): Node {
  let scope = parseBaseName(input);
  while (isDigit(input.peek())) scope = named(scope, parseBaseName(input));
  if (!/^E(?:\d|on|dn)/.test(input.text.slice(input.at, input.at + 3))) return scope;
  input.at++;
  return named(scope, parseScopedName(input));
}

function parseScopedName(input: Mangled): Node {
  if (input.skip('on')) return parseOperator(input);
  if (input.skip('dn')) return parseDestructor(input);
  return parseBaseName(input);
}

function named(scope: Node, name: Node): Node {
  return name.kind === 'template'
    ? { ...name, name: scoped(scope, name.name) }
    : scoped(scope, name);
}

function scoped(scope: Node, name: Node): Node {
  return { kind: 'scoped', scope, name };
}
