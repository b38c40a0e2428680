import fc from 'fast-check';
import { expect, test } from 'vitest';
import { parseStrictJson } from './strict-json.ts';

const taken = [
  '{"a":-1,"b":0}',
  '[9007199254740991,-9007199254740991]',
  '{"a":"1.5 -0 1e3 \\" 2.5 \\\\","b":[]}',
  ' {\n"a" : 1 } ',
  '"\\\\"',
];

test.for(taken)('%s is read as JSON.parse reads it', (text) => {
  const value: unknown = JSON.parse(text);
  expect(parseStrictJson(text)).toEqual({ ok: true, value });
});

const refusedNumbers = [
  '1.0',
  '1e3',
  '1E3',
  '-0',
  '0.5',
  '9007199254740992',
  '-9007199254740992',
  '1e400',
  '99999999999999999',
];

test.for(refusedNumbers)('the number %s is refused', (number) => {
  const because = `the number ${number} is not a plain integer within 2^53-1`;
  expect(parseStrictJson(`{"a":[${number}]}`)).toEqual({ ok: false, because });
});

test.for(['', '{', '{"a":}', 'nul', '"open', '"open\\"', '01', '--1', '-', '{} x', '\u00a0{}'])(
  '%j is no JSON',
  (text) => {
    expect(parseStrictJson(text)).toMatchObject({ ok: false });
  },
);

test('whatever is read is what JSON.parse reads', () => {
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom(...'{}[]",:\\ 019.-e', 'true', 'null') }), (text) => {
      const read = parseStrictJson(text);
      if (read.ok) expect(read.value).toEqual(JSON.parse(text));
    }),
    { numRuns: 1000 },
  );
});
