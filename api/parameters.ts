/** Request parameters: from a URL or a JSON body, by one zod schema, with errors that name them. */
import type { z } from 'zod';
import { EverflameError } from '../profile/errors.ts';
import { suggestName } from '../profile/select/nearest.ts';

/** The parts of a zod schema that reading a URL looks at. */
interface SchemaNode {
  def: { type: string; innerType?: SchemaNode };
  meta(): Record<string, unknown> | undefined;
}

/**
 * Parameters of a URL as the schema's types: texts become numbers and booleans where the schema
 * has those; a list is a repeated parameter, or one text with commas where it says `explode: false`.
 */
export function readUrlParameters<S extends z.ZodObject>(
  schema: S,
  parameters: URLSearchParams,
): z.output<S> {
  // From entries, so that a parameter named __proto__ is one like any other: unknown.
  const entries = [...new Set(parameters.keys())].map((name) => {
    const texts = parameters.getAll(name);
    const known = Object.hasOwn(schema.shape, name);
    const node = known ? (schema.shape[name] as unknown as SchemaNode) : null;
    return [name, node === null ? texts[0] : convert(name, node, texts)];
  });
  return readParameters(schema, Object.fromEntries(entries));
}

function convert(name: string, node: SchemaNode, texts: readonly string[]): unknown {
  const explode = node.meta()?.explode !== false;
  let inner = node;
  while (inner.def.innerType !== undefined) inner = inner.def.innerType;
  if (inner.def.type === 'array') {
    return explode ? texts : texts.flatMap((text) => (text === '' ? [] : text.split(',')));
  }
  if (texts.length > 1) {
    throw new EverflameError('invalid', `the parameter ${name} is given ${texts.length} times`, {
      field: name,
    });
  }
  const text = texts[0] ?? '';
  if (inner.def.type === 'number') {
    return /^-?\d+(\.\d+)?(e-?\d+)?$/i.test(text) ? Number(text) : text;
  }
  if (inner.def.type === 'boolean')
    return text === 'true' || text === 'false' ? text === 'true' : text;
  return text;
}

/** Checks parameters against the schema. Throws `invalid` naming the first one at fault. */
export function readParameters<S extends z.ZodObject>(schema: S, input: unknown): z.output<S> {
  const result = schema.safeParse(input);
  if (result.success) return result.data;
  const issue = result.error.issues[0];
  if (issue === undefined) throw new EverflameError('invalid', 'the parameters are malformed');
  throw describeIssue(issue, Object.keys(schema.shape), input);
}

function describeIssue(
  issue: z.core.$ZodIssue,
  names: readonly string[],
  input: unknown,
): EverflameError {
  const field = issue.path.map(String).join('.');
  if (issue.code === 'unrecognized_keys') {
    const name = issue.keys[0] ?? '';
    return new EverflameError(
      'invalid',
      `the parameter ${name.slice(0, 80)} is unknown${suggestName(name, names)}`,
      { field: name.slice(0, 80), remedy: `This takes ${names.join(', ') || 'no parameters'}.` },
    );
  }
  const top = issue.path[0];
  if (
    issue.path.length === 1 &&
    typeof input === 'object' &&
    input !== null &&
    !Object.hasOwn(input, String(top))
  ) {
    return new EverflameError('invalid', `the parameter ${field} is missing`, { field });
  }
  const where = field === '' ? 'the parameters are' : `the parameter ${field} is`;
  const context: { field: string; limit?: string } = { field: field || 'body' };
  if (issue.code === 'too_big') context.limit = `${field} <= ${issue.maximum}`;
  if (issue.code === 'too_small') context.limit = `${field} >= ${issue.minimum}`;
  return new EverflameError('invalid', `${where} wrong: ${lowerFirst(issue.message)}`, context);
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}
