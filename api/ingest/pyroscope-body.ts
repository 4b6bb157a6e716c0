/** The body of Pyroscope's /ingest: a pprof, or a form with one and what its types mean. */
import { EverflameError } from '../../profile/errors.ts';
import { MAX_SAMPLE_TYPES } from '../../profile/limits.ts';
import type { SampleTypeConfig } from '../../profile/select/profile-name.ts';
import type { PyroscopePush } from './ingest-request.ts';
import { multipartBoundary, parseMultipart } from './multipart.ts';

export interface PyroscopeBody {
  /** A pprof, gzipped or not. */
  profile: Uint8Array;
  /** By sample type. */
  configs: ReadonlyMap<string, SampleTypeConfig>;
}

/** `body` is the push's after Content-Encoding. Throws `unsupported` for formats but pprof. */
export function readPyroscopeBody(push: PyroscopePush, body: Uint8Array): PyroscopeBody {
  checkFormat(push.format);
  const boundary = multipartBoundary(push.contentType);
  if (boundary === null) return { profile: body, configs: new Map() };
  const parts = parseMultipart(body, boundary);
  if (parts.has('jfr')) checkFormat('jfr');
  if ((parts.get('prev_profile')?.length ?? 0) > 0) {
    throw new EverflameError('unprocessable', 'prev_profile asks the server to subtract profiles', {
      field: 'prev_profile',
      remedy: 'Send the difference of the two profiles as profile, or let the server scrape.',
    });
  }
  const profile = parts.get('profile');
  if (profile === undefined) {
    throw new EverflameError('invalid', 'the form has no field "profile"', {
      field: 'profile',
      remedy: 'Send the pprof as the form field profile.',
    });
  }
  return { profile, configs: readConfigs(parts.get('sample_type_config')) };
}

function checkFormat(format: string): void {
  if (format === '' || format === 'pprof') return;
  const name = format === 'jfr' ? 'Java Flight Recorder data' : `Format ${format.slice(0, 40)}`;
  throw new EverflameError('unsupported', `${name} is not supported`, {
    field: 'format',
    remedy: 'Send a pprof with format=pprof.',
  });
}

function readConfigs(part: Uint8Array | undefined): Map<string, SampleTypeConfig> {
  const configs = new Map<string, SampleTypeConfig>();
  if (part === undefined || part.length === 0) return configs;
  const entries = Object.entries(parseObject(part));
  if (entries.length > MAX_SAMPLE_TYPES) throw badConfig('it names too many types', null);
  for (const [type, config] of entries) configs.set(type, readConfig(type, config));
  return configs;
}

function parseObject(part: Uint8Array): object {
  let value: unknown;
  try {
    value = JSON.parse(new TextDecoder().decode(part));
  } catch (cause) {
    throw badConfig('it is not JSON', cause);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw badConfig('it is not an object of sample types', null);
  }
  return value;
}

function readConfig(type: string, config: unknown): SampleTypeConfig {
  if (typeof config !== 'object' || config === null) throw badConfig(`${type} is no object`, null);
  if ('cumulative' in config && config.cumulative === true) {
    const field = `sample_type_config.${type}.cumulative`;
    throw new EverflameError('unprocessable', `${type} is declared cumulative`, {
      field,
      remedy: 'Send what happened since the last push (delta profiles), or let the server scrape.',
    });
  }
  const displayName = 'display-name' in config ? config['display-name'] : '';
  const isAverage = 'aggregation' in config && config.aggregation === 'average';
  return { displayName: typeof displayName === 'string' ? displayName : '', isAverage };
}

function badConfig(what: string, cause: unknown): EverflameError {
  return new EverflameError('invalid', `sample_type_config is malformed: ${what}`, {
    field: 'sample_type_config',
    ...(cause === null ? {} : { cause }),
  });
}
