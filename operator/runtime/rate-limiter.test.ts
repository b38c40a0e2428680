import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createRateLimiter } from './rate-limiter.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function limiter() {
  const limit = createRateLimiter({ perSecond: 10, burst: 3 }, () => Date.now());
  const passed: number[] = [];
  const take = (id: number, signal?: AbortSignal) => limit.take(signal).then(() => passed.push(id));
  return { limit, passed, take };
}

test('a burst passes at once, the rest at the sustained rate and in order', async () => {
  const { passed, take } = limiter();
  const all = Promise.all([1, 2, 3, 4, 5].map((id) => take(id)));
  await vi.advanceTimersByTimeAsync(0);
  expect(passed).toEqual([1, 2, 3]);
  await vi.advanceTimersByTimeAsync(101);
  expect(passed).toEqual([1, 2, 3, 4]);
  await vi.advanceTimersByTimeAsync(101);
  expect(passed).toEqual([1, 2, 3, 4, 5]);
  await all;
});

test('a pause holds up everything, and an absurd one only a minute', async () => {
  const { limit, passed, take } = limiter();
  limit.pause(86_400_000);
  const one = take(1);
  await vi.advanceTimersByTimeAsync(59_000);
  expect(passed).toEqual([]);
  await vi.advanceTimersByTimeAsync(1100);
  await one;
  expect(passed).toEqual([1]);
});

test('who gives up does not use up a turn', async () => {
  const { passed, take } = limiter();
  await Promise.all([take(1), take(2), take(3)]);
  const abort = new AbortController();
  const given = take(4, abort.signal);
  const next = take(5);
  abort.abort(new Error('no longer wanted'));
  await expect(given).rejects.toThrow('no longer wanted');
  await vi.advanceTimersByTimeAsync(101);
  await next;
  expect(passed).toEqual([1, 2, 3, 5]);
});

test('a queue that is too long refuses instead of growing', async () => {
  const { limit } = limiter();
  limit.pause(60_000);
  const waiting = Array.from({ length: 2000 }, () => limit.take());
  await expect(limit.take()).rejects.toMatchObject({ status: 429, reason: 'LocalLimit' });
  await vi.advanceTimersByTimeAsync(300_000);
  await Promise.all(waiting);
});
