import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import { checkEnvironment, describeFlags, flag, parseBytes, parseFlags } from './flags.ts';

const TABLE = {
  'http-address': flag.text('127.0.0.1:7070', 'HOST:PORT', 'where to listen'),
  'retention-age': flag.duration(null, 'how long to keep profiles'),
  'memory-limit': flag.bytes(1e9, 'ceiling of the store'),
  frequency: flag.number(19, 'samples per second', { min: 1, max: 999 }),
  insecure: flag.switch('listen on other than loopback addresses'),
  format: flag.choice(['json', 'folded'], 'json', 'form of the answer'),
  label: flag.pairs('NAME=VALUE', 'a label'),
};

function configFile(text: string): string {
  const path = join(mkdtempSync(join(tmpdir(), 'everflame-flags-')), 'everflame.yaml');
  writeFileSync(path, text);
  return path;
}

test.each([
  ['50GB', 50e9],
  ['1GiB', 2 ** 30],
  ['512', 512],
  ['1.5kb', 1500],
])('size %s is %i bytes', (text, bytes) => {
  expect(parseBytes(text)).toBe(bytes);
});

test.each(['', 'GB', '-1', '5 parsecs', '1e9'])('%j is no size', (text) => {
  expect(() => parseBytes(text)).toThrow(/not a size/);
});

describe('sources', () => {
  test('a flag beats a variable, a variable the file, the file the default', () => {
    const config = configFile('frequency: 3\nretention-age: 7d\nmemory-limit: 2GB\n');
    const env = { EVERFLAME_FREQUENCY: '5', EVERFLAME_RETENTION_AGE: '8d' };
    const { values } = parseFlags(TABLE, ['--frequency', '7', `--config=${config}`], env);
    expect(values).toEqual({
      'http-address': '127.0.0.1:7070',
      'retention-age': 8 * 86_400_000,
      'memory-limit': 2e9,
      frequency: 7,
      insecure: false,
      format: 'json',
      label: {},
    });
  });

  test('labels are pairs in each source', () => {
    const expected = { a: '1', b: 'x=y' };
    const read = (argv: string[], env = {}) => parseFlags(TABLE, argv, env).values.label;
    expect(read(['--label', 'a=1', '--label=b=x=y'])).toEqual(expected);
    expect(read([], { EVERFLAME_LABEL: 'a=1,b=x=y' })).toEqual(expected);
    expect(read(['--config', configFile('label: {a: 1, b: x=y}')])).toEqual(expected);
    expect(read(['--config', configFile('label: [a=1, b=x=y]')])).toEqual(expected);
  });

  test('operands, switches and the double dash', () => {
    const { values, operands } = parseFlags(TABLE, ['f.pb', '--insecure', 'g', '--', '--x'], {});
    expect([operands, values.insecure]).toEqual([['f.pb', 'g', '--x'], true]);
    expect(parseFlags(TABLE, ['--insecure=false'], {}).values.insecure).toBe(false);
    expect(parseFlags(TABLE, ['--bad=', '-h'].slice(1), {}).help).toBe(true);
  });
});

describe('what is wrong is named', () => {
  test.each([
    [['--http-adress', 'x'], 'the flag --http-adress is unknown (did you mean "http-address"?)'],
    [['-x'], 'the flag -x is unknown'],
    [['--constructor'], 'the flag --constructor is unknown'],
    [['--frequency'], '--frequency needs a value: N'],
    [['--frequency', '0'], '--frequency 0: is not a number from 1 to 999'],
    [['--retention-age', '10'], '--retention-age 10: is not a duration'],
    [['--memory-limit', 'much'], '--memory-limit much: is not a size'],
    [['--insecure=maybe'], '--insecure maybe: is neither true nor false'],
    [['--format', 'xml'], '--format xml: is none of json, folded'],
    [['--label', 'a'], '--label a: is not of the form name=value'],
    [['--config', '/nonexistent.yaml'], '--config /nonexistent.yaml: ENOENT'],
  ])('%j', (argv, message) => {
    expect(() => parseFlags(TABLE, argv, {})).toThrow(message);
  });

  test.each([
    ['frequncy: 3', 'the key frequncy is unknown (did you mean "frequency"?)'],
    ['- frequency', 'the file is not a mapping'],
    ['frequency: [', '--config'],
    ['frequency: many', 'is not a number from 1 to 999'],
  ])('file %j', (text, message) => {
    expect(() => parseFlags(TABLE, ['--config', configFile(text)], {})).toThrow(message);
  });

  test('variables', () => {
    expect(() => parseFlags(TABLE, [], { EVERFLAME_FREQUENCY: 'x' })).toThrow(
      'EVERFLAME_FREQUENCY x: is not a number',
    );
    expect(() => checkEnvironment({ EVERFLAME_FREQUENCI: '1', HOME: '/' }, [TABLE])).toThrow(
      'EVERFLAME_FREQUENCI is unknown (did you mean "EVERFLAME_FREQUENCY"?)',
    );
    checkEnvironment({ EVERFLAME_FREQUENCY: '1', EVERFLAME_CONFIG: 'x', HOME: '/' }, [TABLE]);
  });
});

test('the help text lists every flag with its default', () => {
  expect(describeFlags(TABLE).split('\n')).toEqual([
    '  --http-address HOST:PORT  where to listen (default 127.0.0.1:7070)',
    '  --retention-age DURATION  how long to keep profiles',
    '  --memory-limit BYTES      ceiling of the store (default 1GB)',
    '  --frequency N             samples per second (default 19)',
    '  --insecure                listen on other than loopback addresses',
    '  --format json|folded      form of the answer (default json)',
    '  --label NAME=VALUE        a label',
    '  --config FILE             a YAML file of these flags, without the dashes',
  ]);
});
