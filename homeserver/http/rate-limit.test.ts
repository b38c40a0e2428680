import { expect, test } from 'vitest';
import { HomeserverConfig } from '../contract/config-schema.ts';
import { MatrixError } from '../errors.ts';
import { Caches } from '../caches.ts';
import { createMetrics } from '../metrics.ts';
import { RateLimiter } from './rate-limit.ts';

function limiterAt(clock: { now: number }, enabled = true): RateLimiter {
  const { rateLimits } = HomeserverConfig.parse({
    serverName: 'example.org',
    rateLimits: { enabled, messagesPerUser: { perSecond: 2, burst: 3 } },
  });
  return new RateLimiter(rateLimits, createMetrics(new Caches()), () => clock.now);
}

function refusal(work: () => void): MatrixError | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (error instanceof MatrixError) return error;
    throw error;
  }
}

test('a burst passes, the next is refused with the time until one passes again', () => {
  const clock = { now: 0 };
  const limits = limiterAt(clock);
  const take = () => refusal(() => limits.take('messagesPerUser', 'alice'));
  expect([take(), take(), take()]).toEqual([undefined, undefined, undefined]);
  const error = take();
  expect(error).toMatchObject({ code: 'M_LIMIT_EXCEEDED', status: 429, fields: { retry_after_ms: 500 } });
  expect(error?.headers).toEqual({ 'retry-after': '1' });
  clock.now = 499;
  expect(take()).toBeInstanceOf(MatrixError);
  clock.now = 500;
  expect(take()).toBeUndefined();
});

test('callers and limits do not share a bucket', () => {
  const limits = limiterAt({ now: 0 });
  for (let i = 0; i < 3; i += 1) limits.take('messagesPerUser', 'alice');
  expect(refusal(() => limits.take('messagesPerUser', 'bob'))).toBeUndefined();
  expect(refusal(() => limits.take('joinsPerUser', 'alice'))).toBeUndefined();
  expect(refusal(() => limits.take('messagesPerUser', 'alice'))).toBeInstanceOf(MatrixError);
});

test('a check counts nothing', () => {
  const limits = limiterAt({ now: 0 });
  for (let i = 0; i < 10; i += 1) limits.check('messagesPerUser', 'alice');
  for (let i = 0; i < 3; i += 1) limits.take('messagesPerUser', 'alice');
  expect(refusal(() => limits.check('messagesPerUser', 'alice'))).toBeInstanceOf(MatrixError);
});

test('idle time fills the bucket up to the burst and no further', () => {
  const clock = { now: 0 };
  const limits = limiterAt(clock);
  limits.take('messagesPerUser', 'alice');
  clock.now = 3_600_000;
  for (let i = 0; i < 3; i += 1) limits.take('messagesPerUser', 'alice');
  expect(refusal(() => limits.take('messagesPerUser', 'alice'))).toBeInstanceOf(MatrixError);
});

test('nothing is refused when limits are off', () => {
  const limits = limiterAt({ now: 0 }, false);
  for (let i = 0; i < 100; i += 1) limits.take('messagesPerUser', 'alice');
});
