/** Operators of the Itanium C++ ABI, section 5.1.3 and the expressions of 5.1.6. */

/** What an operator's code stands for as a function's name, `operator` before it. */
export const OPERATOR_NAMES = new Map([
  ['nw', ' new'],
  ['na', ' new[]'],
  ['dl', ' delete'],
  ['da', ' delete[]'],
  ['aw', ' co_await'],
  ['ps', '+'],
  ['ng', '-'],
  ['ad', '&'],
  ['de', '*'],
  ['co', '~'],
  ['pl', '+'],
  ['mi', '-'],
  ['ml', '*'],
  ['dv', '/'],
  ['rm', '%'],
  ['an', '&'],
  ['or', '|'],
  ['eo', '^'],
  ['aS', '='],
  ['pL', '+='],
  ['mI', '-='],
  ['mL', '*='],
  ['dV', '/='],
  ['rM', '%='],
  ['aN', '&='],
  ['oR', '|='],
  ['eO', '^='],
  ['ls', '<<'],
  ['rs', '>>'],
  ['lS', '<<='],
  ['rS', '>>='],
  ['eq', '=='],
  ['ne', '!='],
  ['lt', '<'],
  ['gt', '>'],
  ['le', '<='],
  ['ge', '>='],
  ['ss', '<=>'],
  ['nt', '!'],
  ['aa', '&&'],
  ['oo', '||'],
  ['pp', '++'],
  ['mm', '--'],
  ['cm', ','],
  ['pm', '->*'],
  ['pt', '->'],
  ['cl', '()'],
  ['ix', '[]'],
  ['qu', '?'],
]);

/** Expressions of one operand that stand before it. */
export const UNARY_OPERATORS = new Map([
  ['ps', '+'],
  ['ng', '-'],
  ['ad', '&'],
  ['de', '*'],
  ['co', '~'],
  ['nt', '!'],
  ['dl', 'delete '],
  ['da', 'delete[] '],
  ['aw', 'co_await '],
  ['tw', 'throw '],
  ['te', 'typeid '],
  ['sz', 'sizeof '],
  ['az', 'alignof '],
  ['nx', 'noexcept'],
]);

const BINARY_CODES = [
  ...['pl', 'mi', 'ml', 'dv', 'rm', 'an', 'or', 'eo', 'ls', 'rs', 'aa', 'oo', 'cm', 'pm', 'pt'],
  ...['aS', 'pL', 'mI', 'mL', 'dV', 'rM', 'aN', 'oR', 'eO', 'lS', 'rS'],
  ...['eq', 'ne', 'lt', 'gt', 'le', 'ge', 'ss'],
];

/** Expressions of two operands, by what stands between them. */
export const BINARY_OPERATORS = new Map([
  ...BINARY_CODES.map((code) => [code, OPERATOR_NAMES.get(code) ?? ''] as const),
  ['dt', '.'],
  ['ds', '.*'],
]);

/** Casts of the form `name<type>(operand)`. */
export const NAMED_CASTS = new Map([
  ['dc', 'dynamic_cast'],
  ['sc', 'static_cast'],
  ['cc', 'const_cast'],
  ['rc', 'reinterpret_cast'],
]);
