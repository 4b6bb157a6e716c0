/** Types without a name, section 5.1.8 of the Itanium C++ ABI: numbered in their scope. */
import { NotMangled } from './cursor.ts';
import type { Mangled } from './grammar.ts';
import { type Node, nameNode, type Pieces, piecesNode, separated } from './nodes.ts';

export function parseUnnamedType(input: Mangled): Node {
  if (input.skip('Ut')) return nameNode(`{unnamed type#${ordinal(input)}}`);
  input.expect('Ul');
  return input.deeper(() => {
    const heads: Node[] = [];
    const names: string[] = [];
    while (startsHead(input)) heads.push(parseHead(input, names));
    const params = input.rules.parameters(input);
    input.expect('E');
    return { kind: 'lambda', heads, names, params, number: ordinal(input) };
  });
}

/** `_` is the first of its scope, `0_` the second. */
function ordinal(input: Mangled): number {
  return input.sequenceId(10) + 1;
}

function startsHead(input: Mangled): boolean {
  return input.peek() === 'T' && /[yntp]/.test(input.peek(1));
}

/** A lambda's template parameter; its name is made up and appended to `names`. */
function parseHead(input: Mangled, names: string[]): Node {
  const [before, name] = parseParameter(input, names);
  return piecesNode([...before, ' ', name]);
}

function parseParameter(input: Mangled, names: string[]): [Pieces, string] {
  input.expect('T');
  if (input.skip('p')) {
    const [before, name] = input.deeper(() => parseParameter(input, names));
    return [[...before, '...'], name];
  }
  const kind = input.next();
  const number = names.length;
  if (kind === 'y') return [['typename'], named(names, `$T${number}`)];
  if (kind === 'n') {
    const type = input.rules.type(input);
    return [[type], named(names, `$N${number}`)];
  }
  if (kind !== 't') throw new NotMangled(`no template parameter of kind ${kind}`);
  const inner = input.untilEnd(() => piecesNode(parseNameless(input)));
  return [['template<', ...separated(inner, ', '), '> class'], named(names, `$TT${number}`)];
}

/** The parameter of a template's template parameter has no name. */
function parseNameless(input: Mangled): Pieces {
  return input.deeper(() => parseParameter(input, [])[0]);
}

function named(names: string[], name: string): string {
  names.push(name);
  return name;
}
