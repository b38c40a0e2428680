import { expect, test } from 'vitest';
import { watchedForSecrets } from './caches.ts';

const many = Array.from({ length: 300 }, (_, index) => `tenant-${index}`);

test('Secrets are watched in as many namespaces as the operator has memory for', () => {
  expect(watchedForSecrets(['one'], [undefined])).toEqual(['one']);
  expect(watchedForSecrets([], [undefined])).toEqual([]);
  expect(watchedForSecrets(many, [undefined])).toEqual(many.slice(0, 66));
});

test('who may read Secrets everywhere watches them wherever the rest is watched', () => {
  expect(watchedForSecrets('all', [undefined])).toEqual([undefined]);
  expect(watchedForSecrets('all', ['one', 'two'])).toEqual(['one', 'two']);
});
