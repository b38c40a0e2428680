import { expect, test } from 'vitest';
import type { KubeObject } from './kube-object.ts';
import { createObjectCache } from './object-cache.ts';

const object = (name: string, version: string, owner = 'o'): KubeObject => ({
  metadata: { name, namespace: 'ns', uid: name, resourceVersion: version, labels: { owner } },
});

function cacheOf() {
  const keys: string[] = [];
  const cache = createObjectCache({
    keep: ({ metadata }) => ({ version: metadata.resourceVersion, owner: metadata.labels?.['owner'] ?? '' }),
    keysOf: ({ owner }) => [owner],
    termsOf: ({ owner }) => [`of ${owner}`],
    onKey: (key) => keys.push(key),
  });
  return { cache, keys };
}

test('the same version again is no change', () => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1'));
  cache.put(object('a', '1'));
  expect(keys).toEqual(['o']);
});

test('an object that changes hands concerns both owners', () => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1', 'before'));
  cache.put(object('a', '2', 'after'));
  expect(keys).toEqual(['before', 'before', 'after']);
});

test('a complete list announces differences only', () => {
  const { cache, keys } = cacheOf();
  for (const name of ['same', 'changed', 'gone']) cache.put(object(name, '1', name));
  keys.length = 0;
  cache.replaceAll([object('same', '1', 'same'), object('changed', '2', 'changed'), object('new', '1', 'new')]);
  expect(keys).toEqual(['gone', 'changed', 'new']);
  expect(cache.get('ns/gone')).toBeUndefined();
  expect(cache.values()).toHaveLength(3);
});

test('removing what is not there says nothing', () => {
  const { cache, keys } = cacheOf();
  cache.remove(object('a', '1'));
  expect(keys).toEqual([]);
});

test('objects are found by what they are now', () => {
  const { cache } = cacheOf();
  const versions = (term: string) => cache.find(term).map(({ version }) => version);
  cache.put(object('a', '1', 'x'));
  cache.put(object('b', '2', 'x'));
  expect(versions('of x')).toEqual(['1', '2']);
  cache.put(object('a', '3', 'y'));
  cache.assume(object('b', '4', 'y'));
  expect([versions('of x'), versions('of y')]).toEqual([[], ['3', '4']]);
  cache.remove(object('a', '5', 'y'));
  cache.replaceAll([object('c', '6', 'y')]);
  expect(versions('of y')).toEqual(['6']);
});

test('what a watch tells of our own write before it is answered is no news, what it tells of others is', () => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1'));
  keys.length = 0;
  const end = cache.expect('ns/a');
  cache.put(object('a', '2'));
  cache.put(object('b', '3', 'other'));
  expect(keys).toEqual(['other']);
  expect(cache.get('ns/a')?.version).toBe('2');
  end('2');
  expect(keys).toEqual(['other']);
  cache.put(object('a', '4'));
  expect(keys).toEqual(['other', 'o']);
});

test.for([
  { what: 'another write', act: () => object('a', '3'), written: '2' },
  { what: 'another write, while ours failed', act: () => object('a', '3'), written: undefined },
  { what: 'its end', act: undefined, written: '2' },
])('$what in the middle of a write of ours is told at its end', ({ act, written }) => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1'));
  keys.length = 0;
  const end = cache.expect('ns/a');
  if (act === undefined) cache.remove(object('a', '2'));
  else cache.put(act());
  expect(keys).toEqual([]);
  end(written);
  expect(keys).toEqual(['o']);
});

test('of two writes of ours at once the later end counts', () => {
  const { cache, keys } = cacheOf();
  const [first, second] = [cache.expect('ns/a'), cache.expect('ns/a')];
  cache.put(object('a', '1'));
  first('1');
  cache.put(object('a', '2'));
  second('2');
  expect(keys).toEqual([]);
});

test('our own writes are no news when the watch tells of them late, and an earlier one is not taken back to', () => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1'));
  keys.length = 0;
  cache.assume(object('a', '2'));
  cache.assume(object('a', '3'));
  for (const version of ['2', '3']) {
    cache.put(object('a', version));
    expect(cache.get('ns/a')?.version).toBe('3');
  }
  expect(keys).toEqual([]);
});

test('what others wrote before us is told when the watch is behind, and our copy stays', () => {
  const { cache, keys } = cacheOf();
  cache.put(object('a', '1'));
  keys.length = 0;
  cache.assume(object('a', '3'));
  cache.put(object('a', '2', 'other'));
  expect(keys).toEqual(['o', 'other']);
  expect(cache.get('ns/a')?.version).toBe('3');
  cache.put(object('a', '3'));
  cache.put(object('a', '4'));
  expect(cache.get('ns/a')?.version).toBe('4');
});

test('a complete list counts, also one from before what was written: the store may have been restored', () => {
  const { cache } = cacheOf();
  cache.assume(object('a', '9'));
  cache.replaceAll([object('a', '5')]);
  expect(cache.get('ns/a')?.version).toBe('5');
});

test('another version of which nothing else is kept is no change', () => {
  const keys: string[] = [];
  const cache = createObjectCache({
    keep: ({ metadata }) => metadata.labels?.['owner'],
    keysOf: (owner) => [owner],
    onKey: (key) => keys.push(key),
  });
  for (const [version, owner] of Object.entries({ 1: 'x', 2: 'x', 3: 'y' })) cache.put(object('a', version, owner));
  expect(keys).toEqual(['x', 'x', 'y']);
});
