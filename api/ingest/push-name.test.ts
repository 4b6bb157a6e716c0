import { expect, test } from 'vitest';
import { parsePushName } from './push-name.ts';

test.each([
  ['app', { service_name: 'app' }],
  ['app{}', { service_name: 'app' }],
  ['my.app-1 {a=b}', { service_name: 'my.app-1', a: 'b' }],
  ['app{a=b,c=d e/f:g}', { service_name: 'app', a: 'b', c: 'd e/f:g' }],
  ['app{ a = "b,}" , c=d ,}', { service_name: 'app', a: 'b,}', c: 'd' }],
  ['app{a="say \\"x\\" \\u00fc"}', { service_name: 'app', a: 'say "x" ü' }],
  ['app{otel.scope.name=x/y}', { service_name: 'app', otel_scope_name: 'x/y' }],
  ['app{a=}', { service_name: 'app', a: '' }],
  ['app{service_name=shop}', { service_name: 'shop', app_name: 'app' }],
  ['{service_name=shop}', { service_name: 'shop' }],
  ['app{__name__=mine}', { service_name: 'app', __name__: 'mine' }],
])('%s', (text, labels) => {
  expect({ ...parsePushName(text) }).toEqual(labels);
});

test.each([
  ['', 0, 'missing'],
  ['{a=b}', 0, 'missing'],
  ['app{a=b', 7, 'closing brace'],
  ['app{a}', 4, 'key=value'],
  ['app{=b}', 4, 'key=value'],
  ['app{a=b,a=c}', 10, 'twice'],
  ['app{a.b=c,a_b=c}', 14, 'twice'],
  ['app{a="b"c}', 9, 'comma'],
  ['app{a="\\q"}', 6, 'escape'],
  [`app{${Array.from({ length: 200 }, (_, i) => `l${i}=x`).join()}}`, null, 'more than 128'],
  ['a'.repeat(20_000), 0, 'too long'],
])('%# is refused at its position', (text, position, message) => {
  expect(() => parsePushName(text)).toThrow(
    expect.objectContaining({
      kind: 'invalid',
      field: 'name',
      message: expect.stringContaining(message),
      ...(position === null ? {} : { position }),
    }),
  );
});
