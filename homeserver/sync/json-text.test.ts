import { expect, test } from 'vitest';
import { joinJson, piecesOf } from './json-text.ts';

test('texts become one text', () => {
  expect(joinJson(['[', joinJson(['1', '2'], ','), ']'])).toBe('[1,2]');
});

test('bytes stay the bytes that they are, and the strings between them become one each', () => {
  const bytes = Buffer.from('"ä"');
  const joined = joinJson(['[', joinJson(['1', bytes, ['2', '3']], ','), ']']);
  expect(joined).toEqual(['[1,', bytes, ',23]']);
  expect(joined[1]).toBe(bytes);
  expect(piecesOf(bytes)).toEqual([bytes]);
});

test('strings that are long together stay apart, and lose nothing', () => {
  const rooms = Array.from({ length: 50 }, (_, n) => `{"room":"${String(n).repeat(4000)}"}`);
  const joined = joinJson(['[', joinJson(rooms, ','), ']']);
  expect(piecesOf(joined).length).toBeGreaterThan(1);
  expect(Math.max(...piecesOf(joined).map((piece) => piece.length))).toBeLessThanOrEqual(65_536);
  expect(piecesOf(joined).join('')).toBe(`[${rooms.join(',')}]`);
});
