/** Names of the Itanium C++ ABI, sections 5.1.2 to 5.1.4 and 5.1.7 to 5.1.10. */
import { isDigit, isLower, NotMangled } from './cursor.ts';
import type { Mangled } from './grammar.ts';
import { OPERATOR_NAMES } from './itanium-operators.ts';
import { parseUnnamedType } from './itanium-unnamed.ts';
import { lastName, type Node, nameNode, piecesNode } from './nodes.ts';

const STD = nameNode('std');
const EMPTY = nameNode('');
const CHARS = 'char, std::char_traits<char>';
const STD_NAMES: Record<string, Node> = {
  a: std('allocator', 'allocator'),
  b: std('basic_string', 'basic_string'),
  s: std('string', `basic_string<${CHARS}, std::allocator<char> >`),
  i: std('istream', `basic_istream<${CHARS} >`),
  o: std('ostream', `basic_ostream<${CHARS} >`),
  d: std('iostream', `basic_iostream<${CHARS} >`),
};
/** What GCC and others call a namespace without a name. */
const ANONYMOUS_NAMESPACE = /^_GLOBAL_[._$]N/;
const QUALIFIERS: Record<string, string> = { r: ' restrict', V: ' volatile', K: ' const' };

function std(short: string, full: string): Node {
  return {
    kind: 'std',
    text: `std::${short}`,
    full: `std::${full}`,
    last: full.split('<')[0] ?? '',
  };
}

export function parseName(input: Mangled): Node {
  const kind = input.peek();
  if (kind === 'N') return input.deeper(() => parseNestedName(input));
  if (kind === 'Z') return input.deeper(() => parseLocalName(input));
  if (kind === 'S' && input.peek(1) !== 't') {
    const name = parseSubstitution(input, false);
    return input.peek() === 'I' ? template(input, name) : name;
  }
  const scope = input.skip('St') ? STD : null;
  const name = within(scope, input.rules.unqualifiedName(input, scope));
  if (input.peek() !== 'I') return name;
  return template(input, input.remember(name));
}

function template(input: Mangled, name: Node): Node {
  return { kind: 'template', name, args: input.rules.templateArgs(input) };
}

function within(scope: Node | null, name: Node): Node {
  return scope === null ? name : { kind: 'scoped', scope, name };
}

function parseNestedName(input: Mangled): Node {
  input.expect('N');
  // An explicit object parameter: the qualifiers are in its type.
  input.skip('H');
  let qualifiers = parseQualifiers(input);
  if (input.skip('R')) qualifiers += ' &';
  else if (input.skip('O')) qualifiers += ' &&';
  const name = parsePrefix(input);
  input.expect('E');
  return qualifiers === '' ? name : { kind: 'member', name, qualifiers };
}

/** `restrict`, `volatile` and `const`, in the order in which they are written. */
export function parseQualifiers(input: Mangled): string {
  let qualifiers = '';
  for (let next = QUALIFIERS[input.peek()]; next !== undefined; next = QUALIFIERS[input.peek()]) {
    input.at++;
    qualifiers = next + qualifiers;
  }
  return qualifiers;
}

/** Every prefix but the whole name is a substitution candidate. */
function parsePrefix(input: Mangled): Node {
  let node: Node | null = null;
  while (node === null || input.peek() !== 'E') {
    if (node !== null && input.skip('M')) continue;
    if (node === null && input.peek() === 'S') {
      node = input.skip('St') ? STD : parseSubstitution(input, true);
      continue;
    }
    node = parsePrefixPart(input, node);
    if (input.peek() !== 'E') input.remember(node);
  }
  return node;
}

function parsePrefixPart(input: Mangled, scope: Node | null): Node {
  const kind = input.peek();
  if (kind === 'I') {
    if (scope === null) throw new NotMangled('arguments of no template');
    return template(input, scope);
  }
  if (scope === null && kind === 'T') return input.rules.templateParam(input);
  if (kind === 'D' && /[Tt]/.test(input.peek(1))) {
    return within(scope, input.rules.decltype(input));
  }
  return within(scope, input.rules.unqualifiedName(input, scope));
}

/** `inPrefix`: a constructor may follow, which repeats the name of the full type. */
export function parseSubstitution(input: Mangled, inPrefix: boolean): Node {
  input.expect('S');
  const abbreviated = STD_NAMES[input.peek()];
  if (abbreviated === undefined) return input.substitution(input.sequenceId(36));
  input.at++;
  let node = abbreviated;
  if (node.kind === 'std' && inPrefix && /[CD]/.test(input.peek())) {
    node = { ...node, text: node.full };
  }
  return input.peek() === 'B' ? input.remember(parseTags(input, node)) : node;
}

function parseLocalName(input: Mangled): Node {
  input.expect('Z');
  const encoding = input.rules.encoding(input);
  input.expect('E');
  // A function that something is local to is written without what it returns.
  const around: Node = encoding.kind === 'encoding' ? { ...encoding, result: null } : encoding;
  if (input.skip('s')) {
    skipDiscriminator(input);
    return { kind: 'local', within: around, entity: nameNode('string literal') };
  }
  if (input.skip('d')) {
    const number = input.peek() === '_' ? 1 : input.number() + 2;
    input.expect('_');
    const argument: Node = { kind: 'local', within: around, entity: defaultArgument(number) };
    return { kind: 'local', within: argument, entity: input.rules.name(input) };
  }
  const entity = input.rules.name(input);
  skipDiscriminator(input);
  return { kind: 'local', within: around, entity };
}

function defaultArgument(number: number): Node {
  return nameNode(`{default arg#${number}}`);
}

function skipDiscriminator(input: Mangled): void {
  if (input.skip('__')) {
    input.number();
    input.skip('_');
  } else if (input.peek() === '_' && isDigit(input.peek(1))) {
    input.at++;
    input.number();
  }
}

export function parseUnqualifiedName(input: Mangled, scope: Node | null): Node {
  const module = parseModuleName(input);
  if (input.skip('F')) {
    const name = input.deeper(() => input.rules.unqualifiedName(input, scope));
    return piecesNode(['friend ', name], true);
  }
  const node = parseTags(input, parsePlainName(input, scope));
  const suffix = textOf(module);
  return suffix === '' ? node : { kind: 'tagged', name: node, suffix: `@${suffix}` };
}

function parsePlainName(input: Mangled, scope: Node | null): Node {
  const kind = input.peek();
  if (isDigit(kind)) return parseSourceName(input);
  if (isLower(kind)) return input.rules.operatorName(input);
  if (input.skip('L')) {
    const name = input.deeper(() => parsePlainName(input, scope));
    skipDiscriminator(input);
    return name;
  }
  if (kind === 'U') return parseUnnamedType(input);
  if (input.skip('DC')) {
    const names = input.untilEnd(parseSourceName);
    return nameNode(`[${names.map((name) => (name.kind === 'name' ? name.text : '')).join(', ')}]`);
  }
  if ((kind === 'C' || kind === 'D') && scope !== null) return parseStructor(input, scope);
  throw new NotMangled(`no name at ${input.at}`);
}

/** The module that a name is attached to, with its partition; empty where there is none. */
export function parseModuleName(input: Mangled): Node {
  let module = EMPTY;
  while (input.skip('W')) {
    const mark = input.skip('P') ? ':' : '.';
    const before = module === EMPTY && mark === '.' ? '' : textOf(module) + mark;
    module = input.remember(nameNode(before + textOf(parseSourceName(input))));
  }
  return module;
}

function textOf(node: Node): string {
  return node.kind === 'name' ? node.text : '';
}

function parseTags(input: Mangled, node: Node): Node {
  let tagged = node;
  while (input.skip('B')) {
    tagged = { kind: 'tagged', name: tagged, suffix: `[abi:${textOf(parseSourceName(input))}]` };
  }
  return tagged;
}

export function parseSourceName(input: Mangled): Node {
  const length = input.number();
  if (length === 0) throw new NotMangled('an empty name');
  const text = input.take(length);
  return nameNode(ANONYMOUS_NAMESPACE.test(text) ? '(anonymous namespace)' : text);
}

function parseStructor(input: Mangled, scope: Node): Node {
  const destructor = input.next() === 'D';
  const inheriting = !destructor && input.skip('I');
  if (!/[0-9]/.test(input.next())) throw new NotMangled('a constructor of no known kind');
  if (inheriting) input.rules.type(input);
  return { kind: 'structor', of: lastName(scope), destructor };
}

/** An operator as the name of a function. */
export function parseOperatorName(input: Mangled): Node {
  if (input.peek() === 'v' && isDigit(input.peek(1))) {
    input.at += 2;
    return piecesNode(['operator ', parseSourceName(input)], true);
  }
  const code = input.take(2);
  if (code === 'cv') return parseConversion(input);
  if (code === 'li') return piecesNode(['operator"" ', parseSourceName(input)], true);
  const operator = OPERATOR_NAMES.get(code);
  if (operator === undefined) throw new NotMangled(`no operator ${code}`);
  return nameNode(`operator${operator}`);
}

function parseConversion(input: Mangled): Node {
  const { inConversion } = input;
  input.inConversion = true;
  const type = input.rules.type(input);
  input.inConversion = inConversion;
  return { kind: 'conversion', type };
}
