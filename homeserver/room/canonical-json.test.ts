import fc from 'fast-check';
import { expect, test } from 'vitest';
import { jsonObjects, jsonValues, texts } from '../../test/support/arbitraries.ts';
import {
  CanonicalJsonError,
  canonicalJson,
  canonicalMembers,
  compareCodePoints,
  joinMembers,
  MAX_JSON_DEPTH,
} from './canonical-json.ts';
import type { JsonObject, JsonValue } from './json-value.ts';
import { parseStrictJson } from './strict-json.ts';

/** The examples of the specification's appendix, "Canonical JSON". */
const published: { given: JsonValue; text: string }[] = [
  { given: {}, text: '{}' },
  { given: { one: 1, two: 'Two' }, text: '{"one":1,"two":"Two"}' },
  { given: { b: '2', a: '1' }, text: '{"a":"1","b":"2"}' },
  {
    given: {
      auth: {
        success: true,
        mxid: '@john.doe:example.com',
        profile: {
          display_name: 'John Doe',
          three_pids: [
            { medium: 'email', address: 'john.doe@example.org' },
            { medium: 'msisdn', address: '123456789' },
          ],
        },
      },
    },
    text: '{"auth":{"mxid":"@john.doe:example.com","profile":{"display_name":"John Doe","three_pids":[{"address":"john.doe@example.org","medium":"email"},{"address":"123456789","medium":"msisdn"}]},"success":true}}',
  },
  { given: { a: '日本語' }, text: '{"a":"日本語"}' },
  { given: { 本: 2, 日: 1 }, text: '{"日":1,"本":2}' },
  { given: { a: '\u65E5' }, text: '{"a":"日"}' },
  { given: { a: null }, text: '{"a":null}' },
  { given: { a: -0, b: 1e10 }, text: '{"a":0,"b":10000000000}' },
];

test.for(published)('the published example $text', ({ given, text }) => {
  expect(canonicalJson(given)).toBe(text);
});

test('control characters are escaped in the shortest way, all else stands for itself', () => {
  expect(canonicalJson('\b\t\n\f\r"\\/\u0000\u001f\u007f\u2028é😀')).toBe(
    '"\\b\\t\\n\\f\\r\\"\\\\/\\u0000\\u001f\u007f\u2028é😀"',
  );
});

test('keys stand in the order of code points, where UTF-16 would put an emoji before U+FFFD', () => {
  expect(canonicalJson({ '😀': 1, '\ufffd': 2, a: 3, '10': 4, '9': 5 })).toBe('{"10":4,"9":5,"a":3,"\ufffd":2,"😀":1}');
});

const refused: { name: string; value: JsonValue; message: string }[] = [
  { name: 'a fraction', value: { content: { x: [1, 0.5] } }, message: 'content.x.1: a number that is no integer' },
  { name: 'NaN', value: [Number.NaN], message: '0: a number that is no integer' },
  { name: 'infinity', value: Number.POSITIVE_INFINITY, message: 'a number that is no integer' },
  { name: 'an integer beyond 2^53-1', value: { a: 2 ** 53 }, message: 'a: an integer beyond 2^53-1' },
  { name: 'a lone surrogate in a value', value: { a: 'x\ud800' }, message: 'a: a lone surrogate' },
  { name: 'a lone surrogate in a key', value: { '\udfff': 1 }, message: 'a lone surrogate' },
];

test.for(refused)('$name is refused, with its place', ({ value, message }) => {
  expect(() => canonicalJson(value)).toThrow(expect.objectContaining({ name: 'CanonicalJsonError', message }));
});

test('nesting is bounded', () => {
  const nested = (levels: number): JsonValue => (levels === 0 ? 1 : [nested(levels - 1)]);
  expect(canonicalJson(nested(MAX_JSON_DEPTH))).toHaveLength(2 * MAX_JSON_DEPTH + 1);
  expect(() => canonicalJson(nested(MAX_JSON_DEPTH + 1))).toThrow(CanonicalJsonError);
  const because = `nested deeper than ${MAX_JSON_DEPTH} levels`;
  expect(parseStrictJson('['.repeat(MAX_JSON_DEPTH + 1))).toEqual({ ok: false, because });
});

test('reading the text gives the value back, and its text is the same again', () => {
  fc.assert(
    fc.property(jsonValues(), (value) => {
      const text = canonicalJson(value);
      const read = parseStrictJson(text);
      expect(read).toEqual({ ok: true, value });
      expect(canonicalJson(read.ok ? read.value : null)).toBe(text);
    }),
  );
});

test('the order in which keys were set does not matter', () => {
  const shuffled = jsonObjects().chain((object) =>
    fc
      .shuffledSubarray(Object.keys(object), { minLength: Object.keys(object).length })
      .map((keys) => ({ object, keys })),
  );
  fc.assert(
    fc.property(shuffled, ({ object, keys }) => {
      const other: JsonObject = Object.fromEntries(keys.map((key) => [key, object[key] ?? null]));
      expect(canonicalJson(other)).toBe(canonicalJson(object));
    }),
  );
});

test('strings compare as their UTF-8 bytes do', () => {
  fc.assert(
    fc.property(texts(), texts(), (a, b) => {
      expect(Math.sign(compareCodePoints(a, b))).toBe(Buffer.compare(Buffer.from(a), Buffer.from(b)));
    }),
  );
});

test('an object put together from encoded members is the same text', () => {
  fc.assert(
    fc.property(jsonObjects(), (object) => {
      expect(joinMembers(canonicalMembers(object))).toBe(canonicalJson(object));
    }),
  );
});
