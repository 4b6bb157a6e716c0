/** What the parts of the Itanium grammar share; they call each other through `rules`. */
import { Cursor, NotMangled } from './cursor.ts';
import type { Node } from './nodes.ts';

/** A rule reads its construct from the cursor, or throws NotMangled. */
export interface Rules {
  encoding: (input: Mangled) => Node;
  name: (input: Mangled) => Node;
  /** `scope` is what the name stands in: constructors are called after it. */
  unqualifiedName: (input: Mangled, scope: Node | null) => Node;
  operatorName: (input: Mangled) => Node;
  substitution: (input: Mangled, inPrefix: boolean) => Node;
  templateParam: (input: Mangled) => Node;
  /** From the `I` on. */
  templateArgs: (input: Mangled) => Node[];
  templateArg: (input: Mangled) => Node;
  /** From the `W` on. */
  moduleName: (input: Mangled) => Node;
  type: (input: Mangled) => Node;
  /** The types of parameters, up to the end of the name or of the enclosing construct. */
  parameters: (input: Mangled) => Node[];
  /** From `DT` or `Dt` on. */
  decltype: (input: Mangled) => Node;
  expression: (input: Mangled) => Node;
  /** From the `L` on. */
  literal: (input: Mangled) => Node;
}

export class Mangled extends Cursor {
  readonly rules: Rules;
  /** In the type of a conversion operator, arguments behind a parameter are the operator's own. */
  inConversion = false;
  readonly #substitutions: Node[] = [];

  constructor(text: string, at: number, rules: Rules) {
    super(text, at);
    this.rules = rules;
  }

  /** Adds a candidate for `S_`, `S0_`, ... and returns it. */
  remember(node: Node): Node {
    this.#substitutions.push(node);
    return node;
  }

  substitution(index: number): Node {
    const node = this.#substitutions[index];
    if (node === undefined) throw new NotMangled(`no substitution ${index}`);
    return node;
  }

  /** `_` is 0, `0_` is 1, `1_` is 2; digits of base 36 with capital letters, or decimal. */
  sequenceId(radix: 10 | 36): number {
    const digits = this.takeUntil('_');
    if (digits === '') return 0;
    const shape = radix === 36 ? /^[0-9A-Z]{1,6}$/ : /^[0-9]{1,6}$/;
    if (!shape.test(digits)) throw new NotMangled(`${digits} is no sequence number`);
    return Number.parseInt(digits, radix) + 1;
  }

  /** Items until `E`, which is skipped. */
  untilEnd(rule: (input: Mangled) => Node): Node[] {
    const items: Node[] = [];
    while (!this.skip('E')) items.push(rule(this));
    return items;
  }
}
