import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { indexWords, searchKey, searchWords } from './directory-words.ts';

const keys = [
  ['Zoë', 'zoe'],
  ['ÉRIC', 'eric'],
  ['ﬁne', 'fine'],
  ['  Alice Cooper ', 'alice cooper'],
  ['İstanbul', 'istanbul'],
  ['Ａｌｉｃｅ', 'alice'],
] as const;

test.for(keys)('%s is compared as %s', ([text, key]) => {
  expect(searchKey(text)).toBe(key);
});

test('words are letters and digits, whatever stands between them', () => {
  expect(searchWords('alice_smith-2.of/the=pub')).toEqual(['alice', 'smith', '2', 'of', 'the', 'pub']);
  expect(searchWords("D'Artagnan (he/him) 🎩")).toEqual(['d', 'artagnan', 'he', 'him']);
  expect(searchWords(' --- ')).toEqual([]);
});

test('names in scripts without spaces are found from any letter on', () => {
  expect(indexWords('山田太郎')).toEqual(['山田太郎', '田太郎', '太郎', '郎']);
  expect(indexWords('Alice')).toEqual(['alice']);
});

test('the words of any text are bounded, whole and found again', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 100 }), (text) => {
      const words = indexWords(text);
      expect(words.length).toBeLessThanOrEqual(32 * 64);
      for (const word of searchWords(text)) {
        expect(word).toMatch(/^[\p{L}\p{N}]+$/u);
        expect(words).toContain(word);
      }
    }),
  );
});
