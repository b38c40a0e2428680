import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileGlob, compileWordGlob } from './glob.ts';

const whole = [
  { pattern: 'lunc?*', matches: ['Lunch plans', 'LUNCH'], misses: [' lunch', 'lunc', ''] },
  { pattern: '', matches: [''], misses: ['a'] },
  { pattern: '*', matches: ['', 'anything'], misses: [] },
  { pattern: '?', matches: ['a', '😀'], misses: ['', 'ab'] },
  { pattern: '*?', matches: ['a', 'b😀'], misses: [''] },
  { pattern: 'a*b*c', matches: ['abc', 'axbxc', 'abbcc'], misses: ['ab', 'acb'] },
  { pattern: 'ab*ba', matches: ['abba', 'ab-ba'], misses: ['aba'] },
  { pattern: '[a]+', matches: ['[a]+'], misses: ['a', 'aa'] },
];

test.for(whole)('the glob $pattern takes whole texts', ({ pattern, matches, misses }) => {
  const test = compileGlob(pattern);
  expect(matches.filter((text) => !test(text))).toEqual([]);
  expect(misses.filter(test)).toEqual([]);
});

const words = [
  {
    pattern: 'ex*ple',
    matches: ['An example event.', 'exple', 'An exciting triple-whammy'],
    misses: ['an examples', 'vexple'],
  },
  {
    pattern: 'cake',
    matches: ['cake', 'CAKE!', 'a_cake cake', 'ein cakeé'],
    misses: ['cakes', 'pancake', 'cake_1', ''],
  },
  { pattern: 'c?ke', matches: ['a c😀ke'], misses: ['cake2'] },
  { pattern: '?-', matches: ['😀-', 'a 😀-'], misses: ['a😀-'] },
  { pattern: '*', matches: ['', 'any'], misses: [] },
  { pattern: '*ple', matches: ['people apple', 'ple'], misses: ['plea'] },
  { pattern: 'app*', matches: ['an apple'], misses: ['snapple'] },
];

test.for(words)('the glob $pattern finds words', ({ pattern, matches, misses }) => {
  const test = compileWordGlob(pattern);
  expect(matches.filter((text) => !test(text))).toEqual([]);
  expect(misses.filter(test)).toEqual([]);
});

/** The same by regular expressions, which may go back without bound. */
function regexOf(pattern: string): string {
  return [...pattern]
    .map((char) => (char === '*' ? '.*' : char === '?' ? '.' : `\\u{${(char.codePointAt(0) ?? 0).toString(16)}}`))
    .join('');
}
const texts = fc.string({ unit: fc.constantFrom('a', 'b', '-', '😀'), maxLength: 8 });
const patterns = fc.string({ unit: fc.constantFrom('a', 'b', '-', '*', '?', '😀'), maxLength: 6 });

test('globs say what regular expressions say', () => {
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      expect(compileGlob(pattern)(text)).toBe(new RegExp(`^(?:${regexOf(pattern)})$`, 'su').test(text));
    }),
  );
});

test('word globs say what regular expressions say', () => {
  fc.assert(
    fc.property(patterns, texts, (pattern, text) => {
      const regex = new RegExp(`(?<![a-z0-9_])(?:${regexOf(pattern)})(?![a-z0-9_])`, 'su');
      expect(compileWordGlob(pattern)(text)).toBe(regex.test(text));
    }),
  );
});

test('patterns that make others go back for ever are searched once through the text', () => {
  const text = 'a'.repeat(60_000);
  const tests = ['*a'.repeat(100) + 'b', '?a'.repeat(120) + 'b', '*a?'.repeat(80) + 'b'].flatMap((pattern) => [
    compileGlob(pattern),
    compileWordGlob(pattern),
  ]);
  expect(tests.some((matches) => matches(text))).toBe(false);
});
