import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { createWorkQueue } from './work-queue.ts';
import type { Verdict, WorkQueue } from './work-queue.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

const settle = () => vi.advanceTimersByTimeAsync(0);

/** A queue whose handlers wait until the test ends them. */
function queueOf(workers: number, backoff = { minMs: 500, maxMs: 300_000, jitter: 0 }) {
  const started: string[] = [];
  const errors: unknown[] = [];
  const running = new Map<string, (verdict: Verdict | Error) => void>();
  const queue: WorkQueue = createWorkQueue({
    workers,
    backoff,
    slowMs: 5000,
    maxSlow: 2,
    onError: (_key, error) => errors.push(error),
    handle: (key) => {
      started.push(key);
      const { promise, resolve, reject } = Promise.withResolvers<Verdict>();
      running.set(key, (verdict) => (verdict instanceof Error ? reject(verdict) : resolve(verdict)));
      return promise;
    },
  });
  const stop = new AbortController();
  const ended = queue.run(stop.signal);
  const finish = async (key: string, verdict: Verdict | Error = { next: 'done' }) => {
    running.get(key)?.(verdict);
    await settle();
  };
  return { queue, started, errors, finish, stop, ended };
}

test('a key that waits is one entry however often it is added', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.add('busy');
  await settle();
  for (let i = 0; i < 5; i += 1) queue.add('a');
  expect(queue.depth).toBe(1);
  await finish('busy');
  await finish('a');
  expect(started).toEqual(['busy', 'a']);
});

test('a key is never handled twice at once, and comes back if it was added meanwhile', async () => {
  const { queue, started, finish } = queueOf(4);
  queue.add('a');
  await settle();
  queue.add('a');
  queue.add('a');
  await settle();
  expect(started).toEqual(['a']);
  await finish('a');
  expect(started).toEqual(['a', 'a']);
  await finish('a');
  expect(started).toEqual(['a', 'a']);
});

test('changes go before resyncs, and a resync is not starved', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.add('first');
  await settle();
  queue.add('resync', 'resync');
  for (let i = 0; i < 20; i += 1) queue.add(`c${i}`);
  await finish('first');
  for (let i = 0; i < 10; i += 1) await finish(started.at(-1) ?? '');
  expect(started[1]).toBe('c0');
  expect(started.indexOf('resync')).toBeGreaterThan(1);
});

test('a resync that becomes a change moves to the front lane', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.add('first');
  await settle();
  queue.add('slow', 'resync');
  queue.add('other', 'resync');
  queue.add('other', 'change');
  await finish('first');
  expect(started).toEqual(['first', 'other']);
  expect(queue.depth).toBe(1);
});

test('failures back off a key on its own, doubling, and success resets', async () => {
  const { queue, started, errors, finish } = queueOf(2);
  queue.add('bad');
  await settle();
  await finish('bad', new Error('broken'));
  queue.add('good');
  await settle();
  expect(started).toEqual(['bad', 'good']);
  await vi.advanceTimersByTimeAsync(499);
  expect(started).toHaveLength(2);
  await vi.advanceTimersByTimeAsync(1);
  await finish('bad', { next: 'retry' });
  await vi.advanceTimersByTimeAsync(999);
  expect(started).toHaveLength(3);
  await vi.advanceTimersByTimeAsync(1);
  await finish('bad');
  queue.add('bad');
  await settle();
  await finish('bad', { next: 'retry' });
  await vi.advanceTimersByTimeAsync(500);
  expect(started.filter((key) => key === 'bad')).toHaveLength(5);
  expect(errors).toEqual([expect.objectContaining({ message: 'broken' })]);
});

test('what fails for another cause than before is tried again soon: the waits grow anew', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.add('a');
  await settle();
  for (const waitMs of [500, 1000, 2000, 4000]) {
    await finish('a', { next: 'retry', cause: 'database' });
    await vi.advanceTimersByTimeAsync(waitMs);
  }
  expect(started).toHaveLength(5);
  for (const waitMs of [1000, 2000]) {
    await finish('a', { next: 'retry', cause: 'probe' });
    await vi.advanceTimersByTimeAsync(waitMs - 1);
    const before = started.length;
    await vi.advanceTimersByTimeAsync(1);
    expect(started).toHaveLength(before + 1);
  }
});

test('Retry-After raises a wait, an addition cuts it short', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.add('a');
  await settle();
  await finish('a', { next: 'retry', minMs: 60_000 });
  await vi.advanceTimersByTimeAsync(59_000);
  expect(started).toHaveLength(1);
  queue.add('a');
  await settle();
  await finish('a');
  await vi.advanceTimersByTimeAsync(120_000);
  expect(started).toHaveLength(2);
});

test('later means later, the earlier of two wins, and a forgotten key does not come', async () => {
  const { queue, started, finish } = queueOf(1);
  queue.addAfter('a', 5000);
  queue.addAfter('a', 1000);
  queue.addAfter('a', 9000);
  queue.addAfter('gone', 500);
  queue.forget('gone');
  await vi.advanceTimersByTimeAsync(1000);
  await finish('a', { next: 'later', afterMs: 300_000 });
  await vi.advanceTimersByTimeAsync(299_000);
  expect(started).toEqual(['a']);
  await vi.advanceTimersByTimeAsync(1000);
  expect(started).toEqual(['a', 'a']);
});

test('runs that hang keep a worker from others for a while only, and only so many of them', async () => {
  const { queue, started, finish, stop, ended } = queueOf(1);
  for (const key of ['hang 1', 'hang 2', 'hang 3', 'a']) queue.add(key);
  await settle();
  expect(started).toEqual(['hang 1']);
  await vi.advanceTimersByTimeAsync(5000);
  await vi.advanceTimersByTimeAsync(5000);
  await vi.advanceTimersByTimeAsync(5000);
  expect(started).toEqual(['hang 1', 'hang 2', 'hang 3']);
  for (const key of ['hang 1', 'hang 2', 'hang 3']) await finish(key);
  expect(started.slice(3)).toEqual(['a']);
  queue.add('b');
  await settle();
  expect(started.slice(3)).toEqual(['a']);
  await finish('a');
  expect(started.slice(3)).toEqual(['a', 'b']);
  stop.abort();
  await finish('b');
  await ended;
});

test('stopping does not wait for what hangs, and its late end leaves nothing behind', async () => {
  const { queue, started, finish, stop, ended } = queueOf(1);
  queue.add('hangs');
  await settle();
  stop.abort();
  let isOver = false;
  const over = ended.then(() => (isOver = true));
  await vi.advanceTimersByTimeAsync(4999);
  expect(isOver).toBe(false);
  await vi.advanceTimersByTimeAsync(1);
  await over;
  await finish('hangs', { next: 'later', afterMs: 10 });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toEqual(['hangs']);
  expect(vi.getTimerCount()).toBe(0);
});

test('stopping waits for what runs, takes nothing new and leaves no timer', async () => {
  const { queue, started, finish, stop, ended } = queueOf(2);
  queue.add('a');
  await settle();
  queue.addAfter('later', 1000);
  stop.abort();
  queue.add('b');
  await finish('a', { next: 'later', afterMs: 10 });
  await ended;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(started).toEqual(['a']);
  expect(vi.getTimerCount()).toBe(0);
});
