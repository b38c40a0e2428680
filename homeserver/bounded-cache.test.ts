import { expect, test } from 'vitest';
import { BoundedCache } from './bounded-cache.ts';

const open = (bound: { entries: number; bytes?: number }) =>
  new BoundedCache<string, string>({ ...bound, weigh: (key, value) => key.length + value.length });

test('what was unused for longest goes first when there are too many entries', () => {
  const cache = open({ entries: 2 });
  cache.set('a', '1');
  cache.set('b', '2');
  expect(cache.get('a')).toBe('1');
  cache.set('c', '3');
  expect([cache.get('a'), cache.get('b'), cache.get('c')]).toEqual(['1', undefined, '3']);
  expect(cache.figures()).toEqual({ entries: 2, bytes: 4, hits: 3, misses: 1 });
});

test('in a large cache what is used stays too, and what is not used goes in time', () => {
  const cache = open({ entries: 100 });
  for (let n = 0; n < 1000; n += 1) {
    cache.set(`new ${n}`, '1');
    if (n === 0) cache.set('used', '1');
    expect(cache.get('used')).toBe('1');
  }
  expect(cache.get('new 880')).toBeUndefined();
  expect(cache.get('new 910')).toBe('1');
});

test('so many go that the rest is light enough, and what is too heavy by itself is not kept', () => {
  const cache = open({ entries: 10, bytes: 10 });
  for (const key of ['a', 'b', 'c']) cache.set(key, '12');
  cache.set('d', '12345');
  expect([cache.get('a'), cache.get('b'), cache.get('c'), cache.get('d')]).toEqual([
    undefined,
    undefined,
    '12',
    '12345',
  ]);
  cache.set('e', '1234567890');
  expect(cache.figures()).toMatchObject({ entries: 0, bytes: 0 });
});

test('an entry that is set again, deleted or cleared weighs nothing any more', () => {
  const cache = open({ entries: 10 });
  cache.set('a', '123');
  cache.set('a', '1');
  cache.set('b', '1');
  cache.delete('b');
  cache.delete('nothing');
  expect(cache.figures()).toMatchObject({ entries: 1, bytes: 2 });
  cache.clear();
  expect(cache.figures()).toMatchObject({ entries: 0, bytes: 0 });
});
