/** `everflame push`: pprof files into a server. */
import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { EverflameError, fromErrorRecord, toErrorRecord } from '../profile/errors.ts';
import { canonicalLabels } from '../profile/select/labels.ts';
import type { PushJson } from '../wire/http.ts';
import { encodeWriteRaw } from '../wire/write-raw.ts';
import { SERVER_FLAG, send } from './client.ts';
import type { Command } from './command.ts';
import { flag, parseFlags } from './flags.ts';

const FLAGS = {
  server: SERVER_FLAG,
  label: flag.pairs('NAME=VALUE', 'a label of the profiles, e.g. service_name=checkout; repeated'),
};

export const pushCommand: Command = {
  name: 'push',
  operands: 'FILE...',
  summary: 'send pprof files, gzipped or not',
  flags: FLAGS,
  run: async (argv, env, output) => {
    const { values, operands } = parseFlags(FLAGS, argv, env);
    if (operands.length === 0) throw new EverflameError('invalid', 'push needs a pprof file');
    const labels = canonicalLabels(values.label, '--label');
    if (labels.service_name === undefined) {
      throw new EverflameError('invalid', 'push needs --label service_name=NAME', {
        remedy: 'Profiles are found by it.',
      });
    }
    for (const path of operands) {
      const stored = await pushFile(path, labels, values.server).catch((error) => {
        throw ofFile(path, error);
      });
      const profiles = `${stored.profiles} profile${stored.profiles === 1 ? '' : 's'}`;
      const samples = `${stored.samples} sample${stored.samples === 1 ? '' : 's'}`;
      output.out(`${path}: stored ${profiles} with ${samples}\n`);
    }
    return 0;
  },
};

/** The fault with the file's name, which the server does not know. */
function ofFile(path: string, error: unknown): unknown {
  if (!(error instanceof Error)) return error;
  if (!(error instanceof EverflameError)) {
    return new EverflameError('invalid', `${path}: ${error.message}`, { cause: error });
  }
  return fromErrorRecord({ ...toErrorRecord(error), message: `${path}: ${error.message}` });
}

async function pushFile(
  path: string,
  labels: Readonly<Record<string, string>>,
  server: string,
): Promise<PushJson> {
  const profile = await readFile(path);
  const response = await send(server, {
    method: 'POST',
    path: '/api/profiles/writeraw',
    headers: {
      'Content-Type': 'application/x-protobuf',
      'Idempotency-Key': randomBytes(16).toString('hex'),
    },
    body: encodeWriteRaw({
      tenant: '',
      series: [
        {
          labels: Object.entries(labels).map(([name, value]) => ({ name, value })),
          profiles: [profile],
        },
      ],
      normalized: false,
      report: null,
    }),
  });
  return (await response.json()) as PushJson;
}
