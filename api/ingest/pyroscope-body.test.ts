import { describe, expect, test } from 'vitest';
import type { EpochMs } from '../../profile/units.ts';
import { readPyroscopeBody } from './pyroscope-body.ts';

const BOUNDARY = 'x7MA4YWxkTrZu0gW';

function read(body: string, contentType: string, format = '') {
  const bytes = Buffer.from(body, 'latin1');
  const push = {
    kind: 'ingest' as const,
    body: bytes,
    contentType,
    contentEncoding: '',
    idempotencyKey: '',
    name: 'app',
    fromMs: 0 as EpochMs,
    untilMs: null,
    format,
  };
  const { profile, configs } = readPyroscopeBody(push, bytes);
  return [Buffer.from(profile).toString('latin1'), Object.fromEntries(configs)];
}

/** A form as Go's and Python's clients write it. */
function form(parts: Record<string, string>): string {
  const lines = Object.entries(parts).map(
    ([name, content]) =>
      `--${BOUNDARY}\r\nContent-Disposition: form-data; name="${name}"; filename="${name}.pprof"\r\n` +
      `Content-Type: application/octet-stream\r\n\r\n${content}\r\n`,
  );
  return `${lines.join('')}--${BOUNDARY}--\r\n`;
}

const FORM = `multipart/form-data; boundary=${BOUNDARY}`;
const PROFILE = '\x1f\x8b\r\n--x7MA\x00\xff\r\n';

describe('a body', () => {
  const config =
    '{"contentions":{"display-name":"mutex_count","units":"lock_samples","cumulative":false},' +
    '"depth":{"aggregation":"average"}}';
  const configs = {
    contentions: { displayName: 'mutex_count', isAverage: false },
    depth: { displayName: '', isAverage: true },
  };
  test.each([
    ['as it is', PROFILE, '', {}],
    ['as it is, with a type', PROFILE, 'binary/octet-stream+pprof', {}],
    ['in a form', form({ profile: PROFILE }), FORM, {}],
    [
      'in a form with quotes',
      form({ profile: PROFILE }),
      `multipart/form-data; boundary="${BOUNDARY}"`,
      {},
    ],
    ['behind a preamble', `hello\r\n${form({ profile: PROFILE })}`, FORM, {}],
    ['with an empty prev_profile', form({ prev_profile: '', profile: PROFILE }), FORM, {}],
    ['with its types', form({ profile: PROFILE, sample_type_config: config }), FORM, configs],
    ['before an epilogue', form({ profile: PROFILE }) + form({ profile: 'x' }), FORM, {}],
  ])('%s', (_, body, contentType, types) => {
    expect(read(body, contentType)).toEqual([PROFILE, types]);
  });
});

describe('what is refused', () => {
  const cumulative = '{"alloc_space":{"cumulative":true}}';
  const many = JSON.stringify(Object.fromEntries(Array.from({ length: 65 }, (_, i) => [i, {}])));
  test.each([
    ['format=jfr', 'x', '', 'jfr', 'unsupported', 'format'],
    ['format=folded', 'x', '', 'folded', 'unsupported', 'format'],
    ['a form with jfr', form({ jfr: 'x' }), FORM, '', 'unsupported', 'format'],
    [
      'prev_profile',
      form({ profile: 'x', prev_profile: 'y' }),
      FORM,
      '',
      'unprocessable',
      'prev_profile',
    ],
    [
      'cumulative',
      form({ profile: 'x', sample_type_config: cumulative }),
      FORM,
      '',
      'unprocessable',
      'sample_type_config.alloc_space.cumulative',
    ],
    [
      'a form with two profiles',
      form({ profile: 'x', other: 'y' }).replace('"other"', '"profile"'),
      FORM,
      '',
      'invalid',
      'body',
    ],
    ['a form without profile', form({ other: 'x' }), FORM, '', 'invalid', 'profile'],
    [
      'types that are not JSON',
      form({ profile: 'x', sample_type_config: '{' }),
      FORM,
      '',
      'invalid',
      'sample_type_config',
    ],
    [
      'types that are a list',
      form({ profile: 'x', sample_type_config: '[]' }),
      FORM,
      '',
      'invalid',
      'sample_type_config',
    ],
    [
      'a type that is a number',
      form({ profile: 'x', sample_type_config: '{"a":1}' }),
      FORM,
      '',
      'invalid',
      'sample_type_config',
    ],
    [
      'too many types',
      form({ profile: 'x', sample_type_config: many }),
      FORM,
      '',
      'invalid',
      'sample_type_config',
    ],
    ['no boundary', form({ profile: 'x' }), 'multipart/form-data', '', 'invalid', 'body'],
    [
      'another boundary',
      form({ profile: 'x' }),
      'multipart/form-data; boundary=q',
      '',
      'invalid',
      'body',
    ],
    ['a cut form', form({ profile: 'x' }).slice(0, -30), FORM, '', 'invalid', 'body'],
    [
      'a part without a name',
      form({ profile: 'x' }).replace('name=', 'nom='),
      FORM,
      '',
      'invalid',
      'body',
    ],
    ['a part without an end of header', `--${BOUNDARY}\r\nA: b`, FORM, '', 'invalid', 'body'],
    [
      'many parts',
      form(Object.fromEntries(Array.from({ length: 20 }, (_, i) => [`p${i}`, '']))),
      FORM,
      '',
      'invalid',
      'body',
    ],
  ])('%s', (_, body, contentType, format, kind, field) => {
    expect(() => read(body, contentType, format)).toThrow(expect.objectContaining({ kind, field }));
  });
});
