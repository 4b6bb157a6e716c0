/** The OpenAPI 3.1 document, generated from the endpoints and their zod schemas. */
import { z } from 'zod';
import { PROBLEM_MEDIA_TYPE } from './problem.ts';
import type { Endpoint } from './routes/endpoint.ts';
import { pathParameters } from './routes/endpoint.ts';
import { problemJson } from './routes/schemas.ts';

type JsonSchema = Record<string, unknown>;
type Content = Record<string, { schema?: JsonSchema }>;

export interface OpenApiDocument {
  openapi: '3.1.0';
  info: { title: string; version: string; license: { name: string; identifier: string } };
  servers: { url: string }[];
  paths: Record<string, Record<string, unknown>>;
  components: { schemas: Record<string, JsonSchema> };
}

/** Describes the endpoints as mounted; `version` is the program's. */
export function describeApi(
  endpoints: readonly Endpoint[],
  version: string,
  pathPrefix: string,
): OpenApiDocument {
  const paths: Record<string, Record<string, unknown>> = {};
  for (const endpoint of endpoints) {
    const methods = paths[endpoint.path] ?? {};
    methods[endpoint.method.toLowerCase()] = describeEndpoint(endpoint);
    paths[endpoint.path] = methods;
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Everflame',
      version,
      license: { name: 'Apache 2.0', identifier: 'Apache-2.0' },
    },
    servers: [{ url: pathPrefix === '' ? '/' : pathPrefix }],
    paths,
    components: { schemas: { Problem: toSchema(problemJson, 'output') } },
  };
}

function describeEndpoint(endpoint: Endpoint): Record<string, unknown> {
  const operation: Record<string, unknown> = {
    summary: endpoint.summary,
    operationId: `${endpoint.method.toLowerCase()}${endpoint.path.replaceAll(/[^a-z0-9]+/gi, '_')}`,
    parameters: [
      ...pathParameters(endpoint.path).map((name) => ({
        name,
        in: 'path',
        required: true,
        schema: { type: 'string' },
      })),
      ...describeParameters(endpoint.parameters),
    ],
    responses: {
      200: { description: 'Done.', content: describeContent(endpoint.answers, 'output') },
      default: {
        description: 'A problem document (RFC 9457).',
        content: { [PROBLEM_MEDIA_TYPE]: { schema: { $ref: '#/components/schemas/Problem' } } },
      },
    },
  };
  if (endpoint.body !== undefined) {
    operation.requestBody = { required: true, content: describeContent(endpoint.body, 'input') };
  }
  return operation;
}

function describeParameters(schema: z.ZodObject | undefined): Record<string, unknown>[] {
  if (schema === undefined) return [];
  const { properties, required } = toSchema(schema, 'input') as {
    properties?: Record<string, JsonSchema>;
    required?: string[];
  };
  return Object.entries(properties ?? {}).map(([name, { description, explode, ...property }]) => ({
    name,
    in: 'query',
    required: required?.includes(name) ?? false,
    ...(description === undefined ? {} : { description }),
    ...(explode === undefined ? {} : { explode }),
    schema: property,
  }));
}

function describeContent(media: Record<string, z.ZodType | null>, io: 'input' | 'output'): Content {
  return Object.fromEntries(
    Object.entries(media).map(([type, schema]) => [
      type,
      schema === null ? {} : { schema: toSchema(schema, io) },
    ]),
  );
}

function toSchema(schema: z.ZodType, io: 'input' | 'output'): JsonSchema {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io }) as JsonSchema;
  return rest;
}
