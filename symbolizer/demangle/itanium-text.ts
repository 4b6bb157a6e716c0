/**
 * Writes the tree of an Itanium name. A type is two texts, one on each side of what it declares:
 * `void (*` and `)(int)`. Parts are written once per context, so that substitutions, which a short
 * name can nest into a text of any length, cost what the text's length bounds.
 */
import {
  MAX_DEMANGLE_DEPTH,
  MAX_DEMANGLE_WORK,
  MAX_DEMANGLED_LENGTH,
} from '../../profile/limits.ts';
import { NotMangled } from './cursor.ts';
import { childrenOf, type Node, type NodeOf, operand } from './nodes.ts';

const CV_QUALIFIERS = /^(?: const| volatile| restrict)+$/;

interface Text {
  left: string;
  right: string;
  /** What a pointer to it must be put in parentheses for. */
  shape: 'plain' | 'function' | 'array';
  /** What `left` ends with; kept apart because looking at a long text's end copies it. */
  end: '' | '*' | '&' | '&&';
  /** The words of `const`, `volatile` and `restrict` that `left` ends with. */
  qualifiers: readonly string[];
}

/** What a template parameter stands for here. */
class Context {
  readonly args: readonly Node[];
  readonly outer: Context | null;
  /** Which element of a pack is written; null outside expansions. */
  readonly element: number | null;
  /** In a lambda's signature, parameters are its own: the names of those declared. */
  readonly lambda: readonly string[] | null;
  readonly written = new Map<Node, Text>();

  constructor(
    args: readonly Node[],
    outer: Context | null,
    element: number | null,
    lambda: readonly string[] | null,
  ) {
    this.args = args;
    this.outer = outer;
    this.element = element;
    this.lambda = lambda;
  }
}

/** The tree's text. Throws NotMangled where it has none, or too much. */
export function writeNode(node: Node): string {
  return new Writer().whole(node, new Context([], null, null, null));
}

class Writer {
  /** Whether a node contains template parameters, whose meaning depends on the context. */
  readonly #open = new Map<Node, boolean>();
  readonly #closed = new Map<Node, Text>();
  #worked = 0;
  #depth = 0;

  whole(node: Node, context: Context): string {
    const { left, right } = this.text(node, context);
    return left + right;
  }

  text(node: Node, context: Context): Text {
    const written = this.#isOpen(node) ? context.written : this.#closed;
    const known = written.get(node);
    if (known !== undefined) return known;
    this.#enter();
    const text = this.#write(node, context);
    this.#depth--;
    const length = text.left.length + text.right.length;
    if (length > MAX_DEMANGLED_LENGTH) throw new NotMangled('the text is too long');
    this.#work(length);
    written.set(node, text);
    return text;
  }

  #enter(): void {
    this.#work(1);
    if (++this.#depth > 2 * MAX_DEMANGLE_DEPTH) throw new NotMangled('nested too deeply');
  }

  #work(characters: number): void {
    this.#worked += characters;
    if (this.#worked > MAX_DEMANGLE_WORK) throw new NotMangled('too many parts');
  }

  #isOpen(node: Node): boolean {
    if (node.kind === 'name') return false;
    if (node.kind === 'param') return true;
    let open = this.#open.get(node);
    if (open === undefined) {
      open = false;
      this.#enter();
      for (const child of childrenOf(node)) open = this.#isOpen(child) || open;
      this.#depth--;
      this.#open.set(node, open);
    }
    return open;
  }

  #write(node: Node, context: Context): Text {
    switch (node.kind) {
      case 'name':
      case 'std':
        return plain(node.text);
      case 'param':
        return this.#param(node, context);
      case 'encoding':
        return this.#encoding(node, context);
      case 'pointer':
        return this.#pointed(this.text(node.to, context), '*');
      case 'reference':
        return this.#reference(node, context);
      case 'member-pointer': {
        const to = this.text(node.to, context);
        const mark = `${this.whole(node.of, context)}::*`;
        return this.#pointed(to, to.shape === 'plain' ? ` ${mark}` : mark);
      }
      case 'function':
        return this.#function(node, context);
      case 'array':
        return this.#array(node, context);
      case 'qualified': {
        const type = this.text(node.type, context);
        const qualifier = this.whole(node.qualifier, context);
        if (type.shape === 'function') return { ...type, right: type.right + qualifier };
        return qualified(type, qualifier);
      }
    }
    return plain(this.#name(node, context));
  }

  /** What is one text, not two. */
  #name(node: Node, context: Context): string {
    switch (node.kind) {
      case 'scoped':
        return `${this.whole(node.scope, context)}::${this.whole(node.name, context)}`;
      case 'template':
        return this.#template(node, context);
      case 'tagged':
        return this.whole(node.name, context) + node.suffix;
      case 'structor':
        return (node.destructor ? '~' : '') + this.whole(node.of, context);
      case 'conversion':
        return `operator ${this.whole(node.type, context)}`;
      case 'lambda':
        return this.#lambda(node, context);
      case 'local':
        return `${this.whole(node.within, context)}::${this.whole(node.entity, context)}`;
      case 'member':
        return this.whole(node.name, context) + node.qualifiers;
      case 'pack':
        return this.#list(node.args, context);
      case 'expansion':
        return this.#expansion(node, context);
      case 'pack-size':
        return this.#packSize(node.pattern, context);
      case 'pieces': {
        let text = '';
        for (const piece of node.pieces) {
          text += typeof piece === 'string' ? piece : this.whole(piece, context);
        }
        return text;
      }
    }
    throw new NotMangled(`${node.kind} is no name`);
  }

  /** With commas between those that are not empty packs. */
  #list(nodes: readonly Node[], context: Context): string {
    let list = '';
    for (const node of nodes) {
      this.#work(1);
      const text = this.whole(node, context);
      if (text !== '') list += list === '' ? text : `, ${text}`;
    }
    return list;
  }

  #template({ name, args }: NodeOf<'template'>, context: Context): string {
    const before = this.whole(name, context);
    const list = this.#list(args, context);
    const last = args.at(-1);
    // As binutils writes it, so that names can be looked for in the output of perf and gdb:
    // brackets stand apart, unless an empty pack is between them.
    const apart = list.endsWith('>') && last !== undefined && !this.#endsEmpty(last, context);
    return `${before}${before.endsWith('<') ? ' ' : ''}<${list}${apart ? ' ' : ''}>`;
  }

  /** True for an empty pack, and for a pack that ends with one. */
  #endsEmpty(node: Node, context: Context): boolean {
    if (this.whole(node, context) === '') return true;
    const last = node.kind === 'pack' ? node.args.at(-1) : undefined;
    return last !== undefined && this.#endsEmpty(last, context);
  }

  #lambda({ heads, names, params, number }: NodeOf<'lambda'>, context: Context): string {
    const inside = new Context(context.args, context.outer, context.element, names);
    const declared = heads.length === 0 ? '' : `<${this.#list(heads, inside)}>`;
    return `{lambda${declared}(${this.#list(params, inside)})#${number}}`;
  }

  #param({ index }: NodeOf<'param'>, context: Context): Text {
    if (context.lambda !== null) return plain(context.lambda[index] ?? `auto:${index + 1}`);
    const arg = this.#argument(index, context);
    if (arg === null) throw new NotMangled(`no template argument ${index}`);
    return this.text(arg, context.outer ?? context);
  }

  /** In an expansion, the element of a pack. */
  #argument(index: number, { args, outer, element }: Context): Node | null {
    const arg = args[index];
    if (arg === undefined || outer === null) return null;
    return arg.kind === 'pack' && element !== null ? (arg.args[element] ?? null) : arg;
  }

  #expansion({ pattern }: NodeOf<'expansion'>, context: Context): string {
    const pack = context.lambda === null ? this.#packIn(pattern, context, new Set()) : null;
    if (pack === null) {
      const pieces = operand(pattern);
      const text = this.whole(pattern, context);
      return `${pieces.length === 1 || !isParameter(pattern) ? text : `(${text})`}...`;
    }
    let list = '';
    for (let element = 0; element < pack.args.length; element++) {
      const inside = new Context(context.args, context.outer, element, null);
      const text = this.whole(pattern, inside);
      if (text !== '') list += list === '' ? text : `, ${text}`;
      if (list.length > MAX_DEMANGLED_LENGTH) throw new NotMangled('the text is too long');
    }
    return list;
  }

  /** The first pack that a parameter in the pattern stands for. */
  #packIn(node: Node, context: Context, seen: Set<Node>): NodeOf<'pack'> | null {
    if (!this.#isOpen(node) || seen.has(node)) return null;
    seen.add(node);
    if (node.kind === 'param') {
      const arg = context.outer === null ? undefined : context.args[node.index];
      return arg?.kind === 'pack' ? arg : null;
    }
    this.#enter();
    let pack: NodeOf<'pack'> | null = null;
    for (const child of childrenOf(node)) pack ??= this.#packIn(child, context, seen);
    this.#depth--;
    return pack;
  }

  #packSize(pattern: Node, context: Context): string {
    if (pattern.kind === 'pack') return String(pattern.args.length);
    const pack = this.#packIn(pattern, context, new Set());
    if (pack !== null) return String(pack.args.length);
    return `sizeof...(${this.whole(pattern, context)})`;
  }

  #encoding(node: NodeOf<'encoding'>, context: Context): Text {
    const member = node.name.kind === 'local' ? node.name.entity : node.name;
    const inner = member.kind === 'member' ? member.name : member;
    const qualifiers = member.kind === 'member' ? member.qualifiers : '';
    const inside =
      inner.kind === 'template' ? new Context(inner.args, context, null, null) : context;
    let name = this.whole(inner, inside);
    if (node.name.kind === 'local') name = `${this.whole(node.name.within, inside)}::${name}`;
    const call = `${name}(${this.#list(node.params, inside)})${qualifiers}`;
    if (node.result === null) return plain(call);
    const { left, right } = this.text(node.result, inside);
    return plain(left + (right === '' ? ' ' : '') + call + right);
  }

  #pointed(to: Text, mark: string): Text {
    const { left, right, shape } = to;
    const end = mark === '&' || mark === '&&' ? mark : '*';
    if (shape === 'plain') return { left: left + mark, right, shape, end, qualifiers: [] };
    const space = shape === 'array' || to.end === '&' || to.end === '&&' ? ' ' : '';
    const inner = `${left}${space}(${mark}`;
    return { left: inner, right: `)${right}`, shape: 'plain', end, qualifiers: [] };
  }

  /** References to references collapse: `&` wins. */
  #reference({ to, mark }: NodeOf<'reference'>, context: Context): Text {
    const text = this.text(to, context);
    if (text.shape !== 'plain') return this.#pointed(text, mark);
    if (text.end === '&' || text.end === mark) return text;
    if (text.end === '&&') return { ...text, left: text.left.slice(0, -1), end: '&' };
    return this.#pointed(text, mark);
  }

  #function(node: NodeOf<'function'>, context: Context): Text {
    const { left, right, end } = this.text(node.result, context);
    const qualifiers = node.qualifiers.map((qualifier) => this.whole(qualifier, context));
    const params = `(${this.#list(node.params, context)})${qualifiers.join('')}${node.reference}`;
    return {
      left: left + (right === '' ? ' ' : ''),
      right: params + right,
      shape: 'function',
      end: right === '' ? '' : end,
      qualifiers: [],
    };
  }

  #array({ of, size }: NodeOf<'array'>, context: Context): Text {
    const element = this.text(of, context);
    const bound = size === null ? '' : this.whole(size, context);
    const rest = element.shape === 'array' ? element.right.slice(1) : element.right;
    return { ...element, right: ` [${bound}]${rest}`, shape: 'array' };
  }
}

function plain(left: string): Text {
  return { left, right: '', shape: 'plain', end: '', qualifiers: [] };
}

/** What is constant already, as an argument can be, does not say so twice. */
function qualified(type: Text, qualifier: string): Text {
  if (!CV_QUALIFIERS.test(qualifier)) {
    return { ...type, left: type.left + qualifier, end: '', qualifiers: [] };
  }
  const words = qualifier.slice(1).split(' ');
  const added = words.filter((word) => !type.qualifiers.includes(word));
  if (added.length === 0) return type;
  const left = `${type.left} ${added.join(' ')}`;
  return { ...type, left, end: '', qualifiers: [...type.qualifiers, ...added] };
}

/** True for types made of a lambda's own parameter, which its pack puts in parentheses. */
function isParameter(node: Node): boolean {
  return childrenOf(node).length > 0 || node.kind === 'param';
}
