import { expect, test, vi } from 'vitest';
import { Caches } from '../caches.ts';
import type { CommitFeed } from '../storage/write-batch.ts';
import { ReadMemory } from './read-memory.ts';

function open() {
  const resets: (() => void)[] = [];
  const feed: CommitFeed = {
    seen: 0,
    onCommit: () => () => undefined,
    onReset: (listener) => {
      resets.push(listener);
      return () => undefined;
    },
    catchUp: () => Promise.resolve(),
    publishVolatile: () => undefined,
    onVolatile: () => () => undefined,
  };
  const memory = new ReadMemory<string>({ feed, caches: new Caches() }, 'room_states', { entries: 9, bytes: 9000 });
  return { memory, reset: () => resets.map((listener) => listener()) };
}

const valuesOf = (keys: ReadonlySet<string>) => new Map([...keys].map((key) => [key, key.toUpperCase()]));

test('what is being read is waited for, the rest is read', async () => {
  const { memory } = open();
  const first = Promise.withResolvers<ReadonlyMap<string, string>>();
  const read = vi.fn((keys: ReadonlySet<string>) => Promise.resolve(valuesOf(keys)));
  const one = memory.readOnce(['a', 'b'], () => first.promise);
  const two = memory.readOnce(['b', 'c'], read);
  expect(read.mock.calls).toEqual([[new Set(['c'])]]);
  first.resolve(valuesOf(new Set(['a', 'b'])));
  expect(await one).toEqual(valuesOf(new Set(['a', 'b'])));
  expect(await two).toEqual(valuesOf(new Set(['b', 'c'])));
  await memory.readOnce(['b'], read);
  expect(read).toHaveBeenLastCalledWith(new Set(['b']));
});

test('a reading that fails, fails for all who wait, and the next reads anew', async () => {
  const { memory } = open();
  const first = Promise.withResolvers<ReadonlyMap<string, string>>();
  const waiting = [memory.readOnce(['a'], () => first.promise), memory.readOnce(['a'], () => first.promise)];
  first.reject(new Error('away'));
  const outcomes = await Promise.allSettled(waiting);
  expect(outcomes.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  expect(await memory.readOnce(['a'], (keys) => Promise.resolve(valuesOf(keys)))).toEqual(new Map([['a', 'A']]));
});

test('what was begun before a reset is for nobody who comes after it', async () => {
  const { memory, reset } = open();
  const first = Promise.withResolvers<ReadonlyMap<string, string>>();
  const before = memory.readOnce(['a'], () => first.promise);
  reset();
  expect(await memory.readOnce(['a'], () => Promise.resolve(new Map([['a', 'new']])))).toEqual(new Map([['a', 'new']]));
  first.resolve(new Map([['a', 'old']]));
  expect(await before).toEqual(new Map([['a', 'old']]));
});
