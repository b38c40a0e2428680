import fc from 'fast-check';
import { expect, test } from 'vitest';
import { backoffMs } from './backoff.ts';

const range = { minMs: 500, maxMs: 300_000, jitter: 0.2 };

test('the wait doubles from half a second to five minutes', () => {
  const waits = [0, 1, 2, 9, 10, 1000].map((attempt) => backoffMs(attempt, range, () => 0.5));
  expect(waits).toEqual([500, 1000, 2000, 256_000, 300_000, 300_000]);
});

test('jitter stays within its share', () => {
  fc.assert(
    fc.property(fc.nat({ max: 100 }), fc.double({ min: 0, max: 1, noNaN: true }), (attempt, random) => {
      const exact = backoffMs(attempt, range, () => 0.5);
      const wait = backoffMs(attempt, range, () => random);
      expect(wait).toBeGreaterThanOrEqual(exact * 0.799);
      expect(wait).toBeLessThanOrEqual(exact * 1.201);
    }),
  );
});
