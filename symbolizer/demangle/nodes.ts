/** The tree that an Itanium mangled name is parsed into, before it is written as text. */

/** Text in order, with nodes between; the nodes are written whole. */
export type Pieces = readonly (string | Node)[];

export type Node =
  | { kind: 'name'; text: string }
  /** One of the library's abbreviations; `full` is written where a constructor follows. */
  | { kind: 'std'; text: string; full: string; last: string }
  | { kind: 'scoped'; scope: Node; name: Node }
  | { kind: 'template'; name: Node; args: readonly Node[] }
  | { kind: 'tagged'; name: Node; suffix: string }
  | { kind: 'structor'; of: Node; destructor: boolean }
  | { kind: 'conversion'; type: Node }
  /** `heads` declare its own template parameters, which are called `names`. */
  | {
      kind: 'lambda';
      heads: readonly Node[];
      names: readonly string[];
      params: readonly Node[];
      number: number;
    }
  | { kind: 'local'; within: Node; entity: Node }
  /** A nested name with the qualifiers of the member function that it names. */
  | { kind: 'member'; name: Node; qualifiers: string }
  | { kind: 'encoding'; name: Node; result: Node | null; params: readonly Node[] }
  | { kind: 'pointer'; to: Node }
  | { kind: 'reference'; to: Node; mark: '&' | '&&' }
  | { kind: 'member-pointer'; of: Node; to: Node }
  /** `qualifiers` are of the member function that it is the type of, as is `reference`. */
  | {
      kind: 'function';
      result: Node;
      params: readonly Node[];
      qualifiers: readonly Node[];
      reference: string;
    }
  | { kind: 'array'; of: Node; size: Node | null }
  /** A type with something behind it: `const`, `_Complex`, `noexcept`. */
  | { kind: 'qualified'; type: Node; qualifier: Node }
  | { kind: 'param'; index: number }
  | { kind: 'pack'; args: readonly Node[] }
  | { kind: 'expansion'; pattern: Node }
  /** How many elements the pattern's pack has, as `sizeof...` says. */
  | { kind: 'pack-size'; pattern: Node }
  /** An expression or a special name; a `simple` one needs no parentheses as an operand. */
  | { kind: 'pieces'; pieces: Pieces; simple: boolean };

export type NodeOf<Kind extends Node['kind']> = Extract<Node, { kind: Kind }>;

export function nameNode(text: string): Node {
  return { kind: 'name', text };
}

export function piecesNode(pieces: Pieces, simple = false): Node {
  return { kind: 'pieces', pieces, simple };
}

/** The nodes with `separator` between them. */
export function separated(nodes: readonly Node[], separator: string): Pieces {
  return nodes.flatMap((node, index) => (index === 0 ? [node] : [separator, node]));
}

/** The operand, in parentheses unless it is a name or a list in braces. */
export function operand(node: Node): Pieces {
  const simple =
    node.kind === 'name' ||
    node.kind === 'std' ||
    node.kind === 'scoped' ||
    node.kind === 'tagged' ||
    (node.kind === 'pieces' && node.simple);
  return simple ? [node] : ['(', node, ')'];
}

/** The last part of a name without template arguments: what its constructors are called. */
export function lastName(node: Node): Node {
  let last = node;
  for (;;) {
    if (last.kind === 'scoped' || last.kind === 'template') last = last.name;
    else if (last.kind === 'tagged' || last.kind === 'member') last = last.name;
    else if (last.kind === 'local') last = last.entity;
    else if (last.kind === 'std') return nameNode(last.last);
    else return last;
  }
}

/** The node's parts, whatever they are. */
export function childrenOf(node: Node): readonly Node[] {
  switch (node.kind) {
    case 'name':
    case 'std':
    case 'param':
      return [];
    case 'scoped':
      return [node.scope, node.name];
    case 'template':
      return [node.name, ...node.args];
    case 'tagged':
    case 'member':
      return [node.name];
    case 'structor':
      return [node.of];
    case 'conversion':
      return [node.type];
    case 'lambda':
      return [...node.heads, ...node.params];
    case 'local':
      return [node.within, node.entity];
    case 'encoding':
      return [node.name, ...(node.result === null ? [] : [node.result]), ...node.params];
    case 'pointer':
    case 'reference':
      return [node.to];
    case 'member-pointer':
      return [node.of, node.to];
    case 'function':
      return [node.result, ...node.params, ...node.qualifiers];
    case 'array':
      return node.size === null ? [node.of] : [node.of, node.size];
    case 'qualified':
      return [node.type, node.qualifier];
    case 'pack':
      return node.args;
    case 'expansion':
    case 'pack-size':
      return [node.pattern];
    case 'pieces':
      return node.pieces.filter((piece) => typeof piece !== 'string');
  }
}
