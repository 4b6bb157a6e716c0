/** Types of the Itanium C++ ABI, section 5.1.5. */
import { isDigit, NotMangled } from './cursor.ts';
import type { Mangled } from './grammar.ts';
import { parseQualifiers, parseSourceName } from './itanium-names.ts';
import { type Node, nameNode, piecesNode, separated } from './nodes.ts';

const BUILTIN_TYPES = new Map(
  Object.entries({
    a: 'signed char',
    b: 'bool',
    c: 'char',
    d: 'double',
    e: 'long double',
    f: 'float',
    g: '__float128',
    h: 'unsigned char',
    i: 'int',
    j: 'unsigned int',
    l: 'long',
    m: 'unsigned long',
    n: '__int128',
    o: 'unsigned __int128',
    s: 'short',
    t: 'unsigned short',
    v: 'void',
    w: 'wchar_t',
    x: 'long long',
    y: 'unsigned long long',
    z: '...',
    Da: 'auto',
    Dc: 'decltype(auto)',
    Dd: 'decimal64',
    De: 'decimal128',
    Df: 'decimal32',
    Dh: 'half',
    Di: 'char32_t',
    Dn: 'decltype(nullptr)',
    Ds: 'char16_t',
    Du: 'char8_t',
  }).map(([code, name]) => [code, nameNode(name)]),
);
const SUFFIXES: Record<string, Node> = {
  C: nameNode(' _Complex'),
  G: nameNode(' _Imaginary'),
};

export function parseType(input: Mangled): Node {
  return input.deeper(() => {
    const builtin = parseBuiltin(input);
    if (builtin !== null) return builtin;
    const kind = input.peek();
    if (kind === 'S') return parseStandardType(input);
    if (kind === 'T') return parseParamType(input);
    return input.remember(parseCompound(input));
  });
}

function parseBuiltin(input: Mangled): Node | null {
  const code = input.peek() === 'D' ? `D${input.peek(1)}` : input.peek();
  const builtin = BUILTIN_TYPES.get(code);
  if (builtin !== undefined) {
    input.at += code.length;
    return builtin;
  }
  return code === 'DF' ? parseFloatType(input) : null;
}

/** ISO/IEC TS 18661 types: `DF16_`, `DF64x`, and `DF16b`. */
function parseFloatType(input: Mangled): Node {
  input.expect('DF');
  const bits = input.number();
  if (input.skip('b')) return nameNode(`std::bfloat${bits}_t`);
  if (input.skip('x')) return nameNode(`_Float${bits}x`);
  input.expect('_');
  return nameNode(`_Float${bits}`);
}

/** A name in `std`, or a substitution, which is no candidate again unless arguments follow. */
function parseStandardType(input: Mangled): Node {
  if (input.peek(1) === 't') return input.remember(input.rules.name(input));
  const node = input.rules.substitution(input, false);
  if (input.peek() !== 'I') return node;
  return input.remember({ kind: 'template', name: node, args: input.rules.templateArgs(input) });
}

function parseParamType(input: Mangled): Node {
  // An elaborated type: `struct`, `union` or `enum` before the name.
  if (/[sue]/.test(input.peek(1))) {
    const word = { s: 'struct ', u: 'union ', e: 'enum ' }[input.take(2)[1] as 's' | 'u' | 'e'];
    return input.remember(piecesNode([word, input.rules.name(input)], true));
  }
  const param = input.remember(parseTemplateParam(input));
  if (input.peek() !== 'I' || input.inConversion) return param;
  return input.remember({ kind: 'template', name: param, args: input.rules.templateArgs(input) });
}

/** `T_` is the first parameter, `T0_` the second. */
export function parseTemplateParam(input: Mangled): Node {
  input.expect('T');
  return { kind: 'param', index: input.sequenceId(10) };
}

function parseCompound(input: Mangled): Node {
  const kind = input.peek();
  switch (kind) {
    case 'r':
    case 'V':
    case 'K':
      return parseQualified(input);
    case 'P':
      input.at++;
      return { kind: 'pointer', to: parseType(input) };
    case 'R':
    case 'O':
      input.at++;
      return { kind: 'reference', to: parseType(input), mark: kind === 'R' ? '&' : '&&' };
    case 'C':
    case 'G':
      input.at++;
      return { kind: 'qualified', type: parseType(input), qualifier: SUFFIXES[kind] as Node };
    case 'M': {
      input.at++;
      const of = parseType(input);
      return { kind: 'member-pointer', of, to: parseType(input) };
    }
    case 'F':
      return parseFunctionType(input);
    case 'A':
      return parseArrayType(input);
    case 'D':
      return parseExtendedType(input);
    case 'u':
      return parseVendorType(input);
    case 'U':
      if (isDigit(input.peek(1))) return parseVendorQualified(input);
  }
  return input.rules.name(input);
}

/** The qualifiers of a member function's type belong to it: alone it is no candidate. */
function parseQualified(input: Mangled): Node {
  const qualifiers = parseQualifiers(input);
  return qualified(functionOrType(input), nameNode(qualifiers));
}

function functionOrType(input: Mangled): Node {
  if (input.peek() === 'F') return parseFunctionType(input);
  if (/^D[oOwx]$/.test(input.peek() + input.peek(1)))
    return input.deeper(() => parseExtendedType(input));
  return parseType(input);
}

function parseFunctionType(input: Mangled): Node {
  return input.deeper(() => {
    input.expect('F');
    // Linkage `extern "C"` is not written.
    input.skip('Y');
    const result = parseType(input);
    const params = parseParameters(input);
    const reference = input.skip('R') ? ' &' : input.skip('O') ? ' &&' : '';
    input.expect('E');
    return { kind: 'function', result, params, qualifiers: [], reference };
  });
}

/** At least one type; `void` alone stands for none. */
export function parseParameters(input: Mangled): Node[] {
  const params: Node[] = [];
  do params.push(parseType(input));
  while (!atParametersEnd(input));
  return params.length === 1 && params[0] === BUILTIN_TYPES.get('v') ? [] : params;
}

function atParametersEnd(input: Mangled): boolean {
  const next = input.peek();
  if (next === 'R' || next === 'O') return input.peek(1) === 'E';
  return next === '' || next === 'E' || next === '.' || next === 'Q';
}

function parseArrayType(input: Mangled): Node {
  input.expect('A');
  let size: Node | null = null;
  if (isDigit(input.peek())) size = nameNode(String(input.number()));
  else if (input.peek() !== '_') size = input.rules.expression(input);
  input.expect('_');
  return { kind: 'array', of: parseType(input), size };
}

function parseExtendedType(input: Mangled): Node {
  const code = input.peek(1);
  if (code === 't' || code === 'T') return parseDecltype(input);
  input.at += 2;
  switch (code) {
    case 'p':
      return { kind: 'expansion', pattern: parseType(input) };
    case 'v':
      return parseVectorType(input);
    case 'B':
    case 'U':
      return parseBitInt(input, code === 'B' ? '_BitInt' : 'unsigned _BitInt');
    case 'o':
      return qualified(functionOrType(input), nameNode(' noexcept'));
    case 'x':
      return qualified(functionOrType(input), nameNode(' transaction_safe'));
    case 'O': {
      const condition = input.rules.expression(input);
      input.expect('E');
      return qualified(functionOrType(input), piecesNode([' noexcept(', condition, ')']));
    }
    case 'w': {
      const thrown = input.untilEnd(parseType);
      const list = piecesNode([' throw(', ...separated(thrown, ', '), ')']);
      return qualified(functionOrType(input), list);
    }
  }
  throw new NotMangled(`no type D${code}`);
}

function qualified(type: Node, qualifier: Node): Node {
  if (type.kind === 'function') return { ...type, qualifiers: [...type.qualifiers, qualifier] };
  return { kind: 'qualified', type, qualifier };
}

export function parseDecltype(input: Mangled): Node {
  if (!input.skip('DT')) input.expect('Dt');
  const expression = input.rules.expression(input);
  input.expect('E');
  return piecesNode(['decltype (', expression, ')']);
}

function parseVectorType(input: Mangled): Node {
  const bracketed = input.skip('_');
  const size = !bracketed && isDigit(input.peek()) ? input.number() : input.rules.expression(input);
  input.expect('_');
  const qualifier = piecesNode([' __vector(', typeof size === 'number' ? `${size}` : size, ')']);
  return { kind: 'qualified', type: parseType(input), qualifier };
}

function parseBitInt(input: Mangled, name: string): Node {
  const bits = isDigit(input.peek())
    ? nameNode(String(input.number()))
    : input.rules.expression(input);
  input.expect('_');
  return piecesNode([`${name}(`, bits, ')'], true);
}

function parseVendorType(input: Mangled): Node {
  input.expect('u');
  const name = parseSourceName(input);
  if (input.peek() !== 'I') return name;
  return { kind: 'template', name, args: input.rules.templateArgs(input) };
}

function parseVendorQualified(input: Mangled): Node {
  input.expect('U');
  const name = parseSourceName(input);
  const args = input.peek() === 'I' ? input.rules.templateArgs(input) : null;
  const qualifier = args === null ? name : ({ kind: 'template', name, args } as const);
  return { kind: 'qualified', type: parseType(input), qualifier: piecesNode([' ', qualifier]) };
}

export function parseTemplateArgs(input: Mangled): Node[] {
  return input.deeper(() => {
    input.expect('I');
    const { inConversion } = input;
    input.inConversion = false;
    const args: Node[] = [];
    while (!input.skip('E')) {
      // A constraint of the template ends its arguments; it is not written.
      if (input.skip('Q')) input.rules.expression(input);
      else args.push(parseTemplateArg(input));
    }
    input.inConversion = inConversion;
    return args;
  });
}

export function parseTemplateArg(input: Mangled): Node {
  switch (input.peek()) {
    case 'L':
      return input.rules.literal(input);
    case 'X': {
      input.at++;
      const expression = input.rules.expression(input);
      input.expect('E');
      return expression;
    }
    case 'I':
    case 'J': {
      input.at++;
      return { kind: 'pack', args: input.deeper(() => input.untilEnd(parseTemplateArg)) };
    }
    case 'T':
      // The parameter that an argument of a lambda's or template's template is for.
      if (/[ynt]/.test(input.peek(1))) skipParameterDeclaration(input);
  }
  return input.peek() === 'L' ? input.rules.literal(input) : parseType(input);
}

function skipParameterDeclaration(input: Mangled): void {
  input.expect('T');
  const kind = input.next();
  if (kind === 'n') parseType(input);
  else if (kind === 't') {
    input.deeper(() => {
      while (!input.skip('E')) skipParameterDeclaration(input);
    });
  }
}
