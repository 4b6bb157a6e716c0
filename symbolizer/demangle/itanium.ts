/** C++ names by the Itanium ABI, <https://itanium-cxx-abi.github.io/cxx-abi/abi.html#mangling>. */
import { isDigit, isLower, NotMangled } from './cursor.ts';
import { Mangled, type Rules } from './grammar.ts';
import { parseEncoding } from './itanium-encoding.ts';
import { parseExpression } from './itanium-expressions.ts';
import { parseLiteral } from './itanium-literals.ts';
import {
  parseModuleName,
  parseName,
  parseOperatorName,
  parseSubstitution,
  parseUnqualifiedName,
} from './itanium-names.ts';
import { writeNode } from './itanium-text.ts';
import {
  parseDecltype,
  parseParameters,
  parseTemplateArg,
  parseTemplateArgs,
  parseTemplateParam,
  parseType,
} from './itanium-types.ts';

const RULES: Rules = {
  encoding: parseEncoding,
  name: parseName,
  unqualifiedName: parseUnqualifiedName,
  operatorName: parseOperatorName,
  substitution: parseSubstitution,
  moduleName: parseModuleName,
  templateParam: parseTemplateParam,
  templateArg: parseTemplateArg,
  templateArgs: parseTemplateArgs,
  type: parseType,
  parameters: parseParameters,
  decltype: parseDecltype,
  expression: parseExpression,
  literal: parseLiteral,
};

/** The text of a name that begins with `_Z`. Throws NotMangled where it is none. */
export function demangleItanium(mangled: string): string {
  const input = new Mangled(mangled, '_Z'.length, RULES);
  const node = parseEncoding(input);
  let clones = '';
  while (!input.done) clones += ` [clone ${takeClone(input)}]`;
  return writeNode(node) + clones;
}

/** What compilers append to a copy's name: `.isra.0`, `.cold`, `.llvm.123`. */
function takeClone(input: Mangled): string {
  const begin = input.at;
  input.expect('.');
  const word = (character: string): boolean =>
    isLower(character) || isDigit(character) || character === '_';
  if (!word(input.peek())) throw new NotMangled(`no name ends at ${begin}`);
  skipWhile(input, word);
  while (input.peek() === '.' && isDigit(input.peek(1))) {
    input.at++;
    skipWhile(input, isDigit);
  }
  return input.text.slice(begin, input.at);
}

function skipWhile(input: Mangled, accepts: (character: string) => boolean): void {
  while (!input.done && accepts(input.peek())) input.at++;
}
