import fc from 'fast-check';
import { expect, test } from 'vitest';
import { quoteIdentifier, quoteLiteral } from './quote-identifier.ts';

test.for([
  { name: 'plain', quoted: '"plain"' },
  { name: 'with "quotes"', quoted: '"with ""quotes"""' },
  { name: "'; drop role x; --", quoted: '"\'; drop role x; --"' },
  { name: 'back\\slash', quoted: '"back\\slash"' },
])('the name $name is quoted', ({ name, quoted }) => {
  expect(quoteIdentifier(name)).toBe(quoted);
});

test.for(['', 'a\0b', 'x'.repeat(64), 'ü'.repeat(32)])('what PostgreSQL would cut or refuse is refused: %j', (name) => {
  expect(() => quoteIdentifier(name)).toThrow(RangeError);
});

test('a quoted name ends only at its last character, whatever it holds', () => {
  const name = fc.string({ unit: 'binary', minLength: 1, maxLength: 15 }).filter((text) => !text.includes('\0'));
  fc.assert(
    fc.property(name, (text) => {
      const inner = quoteIdentifier(text).slice(1, -1);
      expect(inner.replaceAll('""', '')).not.toContain('"');
      expect(inner.replaceAll('""', '"')).toBe(text);
    }),
  );
});

test.for([
  { text: "it's", quoted: "'it''s'" },
  { text: "\\' or 1=1", quoted: "E'\\\\'' or 1=1'" },
])('the literal $text is quoted', ({ text, quoted }) => {
  expect(quoteLiteral(text)).toBe(quoted);
});

test('a literal with a NUL is refused', () => {
  expect(() => quoteLiteral('a\0')).toThrow(RangeError);
});
