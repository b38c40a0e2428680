import fc from 'fast-check';
import { expect, test } from 'vitest';
import { canonicalJson } from './canonical-json.ts';
import { parseLooseJson, parseStrictJson } from './strict-json.ts';

/** What Python 3 writes for the number that it reads from the text. */
const asPython: readonly (readonly [source: string, text: string])[] = [
  ['1.0', '1.0'],
  ['1.50', '1.5'],
  ['-0.0', '-0.0'],
  ['-0', '0'],
  ['1e2', '100.0'],
  ['5.114698E4', '51146.98'],
  ['1e15', '1000000000000000.0'],
  ['123456789012345680.0', '1.2345678901234568e+17'],
  ['1e16', '1e+16'],
  ['1.5e300', '1.5e+300'],
  ['0.0001', '0.0001'],
  ['0.00001', '1e-05'],
  ['-1.25e-7', '-1.25e-07'],
  ['1e-400', '0.0'],
  ['9007199254740993', '9007199254740993'],
  ['-123456789012345678901234567890', '-123456789012345678901234567890'],
];

test.for(asPython)('the number %s is written %s', ([source, text]) => {
  const read = parseLooseJson(`{"x":[${source}]}`);
  expect(read.ok && canonicalJson(read.value)).toBe(`{"x":[${text}]}`);
  expect(read.ok && JSON.stringify(read.value)).toBe(`{"x":[${text}]}`);
});

test('a number beyond doubles is refused, and so is nesting beyond the limit behind a fraction', () => {
  expect(parseLooseJson('[1e400]')).toMatchObject({ ok: false });
  expect(parseLooseJson(`[0.5,${'['.repeat(1000)}${']'.repeat(1000)}]`)).toMatchObject({ ok: false });
  expect(parseLooseJson('[0.5')).toMatchObject({ ok: false });
});

test('a number in a string is no number', () => {
  expect(parseLooseJson('["1.5", "\\"", 1]')).toEqual({ ok: true, value: ['1.5', '"', 1] });
});

test('every double that is written is read back as the same text', () => {
  fc.assert(
    fc.property(fc.double({ noNaN: true, noDefaultInfinity: true }), (value) => {
      const read = parseLooseJson(`[${value}]`);
      const text = read.ok ? canonicalJson(read.value) : '';
      const again = parseLooseJson(text);
      expect(again.ok && canonicalJson(again.value)).toBe(text);
      expect(JSON.parse(text)).toEqual([value === 0 ? expect.closeTo(0) : value]);
    }),
  );
});

test('what the strict reader takes, the loose one reads as the same value', () => {
  fc.assert(
    fc.property(fc.json({ noUnicodeString: false }), (text) => {
      const strict = parseStrictJson(text);
      if (strict.ok) expect(parseLooseJson(text)).toEqual(strict);
    }),
  );
});
