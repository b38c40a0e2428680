import { expect, test } from 'vitest';
import { nextSize } from './apply-in-batches.ts';

test('a batch that took too long is followed by a smaller one, a quick one by at most twice as much', () => {
  expect(nextSize(5000, 2000)).toBe(1250);
  expect(nextSize(1000, 10)).toBe(2000);
  expect(nextSize(5000, 10)).toBe(5000);
  expect(nextSize(200, 60_000)).toBe(100);
});
