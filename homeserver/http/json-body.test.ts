import { expect, test } from 'vitest';
import { MatrixError } from '../errors.ts';
import { parseJsonBody } from './json-body.ts';

const parse = (text: string | Buffer) => parseJsonBody(typeof text === 'string' ? Buffer.from(text) : text);

function codeOf(text: string | Buffer): string | undefined {
  try {
    parse(text);
  } catch (error) {
    return error instanceof MatrixError ? error.code : 'another error';
  }
  return undefined;
}

const refused = [
  { name: 'text that is not JSON', text: '{"a":', code: 'M_NOT_JSON' },
  { name: 'an empty body', text: '', code: 'M_NOT_JSON' },
  { name: 'bytes that are not UTF-8', text: Buffer.from([0x22, 0xff, 0x22]), code: 'M_NOT_JSON' },
  { name: 'a NUL in a value', text: '{"a":"x\\u0000y"}', code: 'M_BAD_JSON' },
  { name: 'a NUL in a key', text: '{"x\\u0000":1}', code: 'M_BAD_JSON' },
  { name: 'a NUL in a list', text: '[["\\u0000"]]', code: 'M_BAD_JSON' },
  { name: 'a lone surrogate', text: '{"a":"\\ud83d"}', code: 'M_BAD_JSON' },
  { name: 'lists nested 101 deep', text: '['.repeat(102) + ']'.repeat(102), code: 'M_BAD_JSON' },
  {
    name: 'objects nested 100,000 deep',
    text: '{"a":'.repeat(100_000) + '1' + '}'.repeat(100_000),
    code: 'M_BAD_JSON',
  },
];

test.for(refused)('$name is refused with $code', ({ text, code }) => {
  expect(codeOf(text)).toBe(code);
});

test('escapes that make whole characters are taken', () => {
  expect(parse('{"a":"\\ud83d\\ude00 \\u00e9 \\\\u0000"}')).toEqual({ a: '😀 é \\u0000' });
});

test('a body nested 100 deep is taken', () => {
  expect(codeOf('['.repeat(100) + ']'.repeat(100))).toBeUndefined();
});

test('a member named __proto__ stays a member and changes no prototype', () => {
  const value = parse('{"__proto__":{"admin":true}}');
  expect(JSON.stringify(value)).toBe('{"__proto__":{"admin":true}}');
  expect(Reflect.get({}, 'admin')).toBeUndefined();
});

test.for(['"', '\n', '\t', '\u0001'])(
  'after a body with the key of a backslash, the key %j is read as itself',
  (key) => {
    for (let i = 0; i < 3; i += 1)
      expect(parse('{"first":1,"\\\\":2,"last":3}')).toEqual({ first: 1, '\\': 2, last: 3 });
    const value = { first: 1, [key]: 2, last: [1.5, -0.25, 1e21] };
    expect(parse(JSON.stringify(value))).toEqual(value);
    expect(codeOf('{"first":1,"\\\\":2,"\\u0000":3}')).toBe('M_BAD_JSON');
  },
);
