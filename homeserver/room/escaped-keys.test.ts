import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonObjects, jsonValues } from '../../test/support/arbitraries.ts';
import { canonicalJson } from './canonical-json.ts';
import { hasEscapedKey } from './escaped-keys.ts';
import { parseJsonObject, parseLooseJson, parsePlainJson, parseStrictJson } from './strict-json.ts';

const ESCAPED = ['"', '\n', '\t', '\u0001'];

test.for(ESCAPED)('after an object with the key of a backslash, the key %j is still read as itself', (key) => {
  const taught = [1, 2, 3].map(() => parseStrictJson('{"first":1,"\\\\":2,"last":3}'));
  expect(taught.at(-1)).toEqual({ ok: true, value: { first: 1, '\\': 2, last: 3 } });
  const value = { first: 1, [key]: 2, last: 3 };
  expect(parseStrictJson(JSON.stringify(value))).toEqual({ ok: true, value });
  expect(parseLooseJson(JSON.stringify(value))).toEqual({ ok: true, value });
});

test.for([
  ['{"a":"\\n"}', false],
  ['{"a\\n":1}', true],
  ['[{"a":"\\":","b":1}]', false],
  ['{"a" : {"\\u0062"\n :1}}', true],
  ['["\\\\"]', false],
  ['{"a":"x', false],
] as const)('%s has an escaped key: %s', ([text, says]) => {
  expect(hasEscapedKey(text)).toBe(says);
});

test('objects with escaped keys are read as they were written, numbers of old rooms too', () => {
  fc.assert(
    fc.property(jsonObjects(), jsonValues(), (object, value) => {
      const written = { ...object, '\\': value, '\n': [value, true, false, null, {}], __proto: [] };
      const text = canonicalJson(written);
      expect(hasEscapedKey(text)).toBe(true);
      expect(parseStrictJson(text)).toEqual({ ok: true, value: written });
      expect(parseStrictJson(JSON.stringify(written, null, 2))).toEqual({ ok: true, value: written });
      const loose = parseLooseJson(`{"\\n":[1.50, ${text}]}`);
      expect(loose.ok && canonicalJson(loose.value)).toBe(`{"\\n":[1.5,${text}]}`);
    }),
  );
});

test('a key named __proto__ is a member like any other', () => {
  const read = parseStrictJson('{"\\u005f_proto__":{"a":1},"\\n":2}');
  expect(read.ok && Object.keys(read.value ?? {})).toEqual(['__proto__', '\n']);
});

test.for(['{"\\n":1', '{"\\n":1,}', '{"\\n" 1}', '{"\\n":tru}', '{"\\n":1}}', '{"\\x":1}'])(
  '%s is not JSON',
  (text) => {
    expect(parseStrictJson(text)).toEqual({ ok: false, because: 'not JSON' });
  },
);

test.for(ESCAPED)('text that is no event has the key %j as itself too, and its fractions', (key) => {
  for (let i = 0; i < 3; i += 1) parsePlainJson('{"first":1,"\\\\":2,"last":3}');
  const value = { first: 0.5, [key]: 2, last: 3 };
  expect(parsePlainJson(JSON.stringify(value))).toEqual(value);
});

test('text that is no event and has escaped keys may not be nested without bound', () => {
  const deep = `${'['.repeat(20_000)}{"\\n":1}${']'.repeat(20_000)}`;
  expect(() => parsePlainJson(deep)).toThrow(SyntaxError);
});

test('of own data only an object counts', () => {
  expect(parseJsonObject(undefined)).toEqual({});
  expect(parseJsonObject('[1]')).toEqual({});
  expect(Object.keys(parseJsonObject('{"__proto__":{"a":1},"b":2}'))).toEqual(['__proto__', 'b']);
});
