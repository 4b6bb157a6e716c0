/** Read endpoints: GET with parameters and POST with the same in JSON are one and the same. */
import type { z } from 'zod';
import { EverflameError } from '../../profile/errors.ts';
import { MAX_PARAMETER_BYTES } from '../../profile/limits.ts';
import type { BodyBudget } from '../body.ts';
import { withBody } from '../body.ts';
import { readParameters, readUrlParameters } from '../parameters.ts';
import type { Caller } from '../query/params.ts';
import type { Answer } from './answer.ts';
import { sendAnswer } from './answer.ts';
import type { AppContext, Endpoint } from './endpoint.ts';
import { bodySource } from './endpoint.ts';

export interface ReadRoute<S extends z.ZodObject> {
  path: string;
  summary: string;
  parameters: S;
  answers: Endpoint['answers'];
  read(parameters: z.output<S>, context: AppContext, caller: Caller): Promise<Answer>;
}

/** The two endpoints of a read route. */
export function readEndpoints<S extends z.ZodObject>(
  route: ReadRoute<S>,
  bodies: BodyBudget,
): Endpoint[] {
  const { path, summary, parameters, answers } = route;
  const answer = async (context: AppContext, read: z.output<S>) =>
    sendAnswer(context, await route.read(read, context, callerOf(context)));
  return [
    {
      method: 'GET',
      path,
      summary,
      parameters,
      answers,
      handle: (context) => answer(context, readUrlParameters(parameters, searchOf(context))),
    },
    {
      method: 'POST',
      path,
      summary,
      body: { 'application/json': parameters },
      answers,
      handle: async (context) =>
        answer(context, await readJsonParameters(context, parameters, bodies)),
    },
  ];
}

/** The client is known by its token, else by its address; its signal fires when it goes away. */
function callerOf(context: AppContext): Caller {
  const token = context.req.header('authorization');
  const address = context.env?.incoming?.socket?.remoteAddress ?? '';
  return { client: token ?? address, signal: context.req.raw.signal };
}

export function searchOf(context: AppContext): URLSearchParams {
  const at = context.req.url.indexOf('?');
  return new URLSearchParams(at === -1 ? '' : context.req.url.slice(at + 1));
}

/** The parameters of a POST: its JSON body. Throws `invalid` where the URL has some too. */
export async function readJsonParameters<S extends z.ZodObject>(
  context: AppContext,
  parameters: S,
  bodies: BodyBudget,
): Promise<z.output<S>> {
  refuseUrlParameters(context);
  return readParameters(parameters, await readJson(context, bodies));
}

/** A small JSON body. */
export function readJson(context: AppContext, bodies: BodyBudget): Promise<unknown> {
  const limit = { name: 'MAX_PARAMETER_BYTES', bytes: MAX_PARAMETER_BYTES };
  return withBody(bodySource(context), limit, bodies, async (body) => parseJson(body));
}

/** They would be ignored beside a body, and the answer be to another question than was asked. */
function refuseUrlParameters(context: AppContext): void {
  const [name] = searchOf(context).keys();
  if (name === undefined) return;
  throw new EverflameError('invalid', 'parameters of a POST stand in its JSON body', {
    field: name.slice(0, 80),
    remedy: 'Write it into the JSON body.',
  });
}

/** JSON of a request body. Throws `invalid` with the parser's own words. */
function parseJson(body: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(body));
  } catch (cause) {
    const message = cause instanceof Error ? cause.message : String(cause);
    throw new EverflameError('invalid', `the body is not JSON: ${message}`, {
      field: 'body',
      cause,
    });
  }
}
