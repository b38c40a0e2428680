import { expect, test } from 'vitest';
import { type ObjectStore, ObjectStoreError, UNREACHABLE } from '../object-store/object-store.ts';
import { memoryObjectStore } from '../../test/support/memory-object-store.ts';
import { bucketProblem as problemOf } from './check-bucket.ts';

const bucketProblem = (store: ObjectStore) => problemOf(store, 'media.s3.endpoint');

const refuse =
  (code?: string, passing = false) =>
  () =>
    Promise.reject(new ObjectStoreError(`answered ${code ?? 'nothing'}`, { passing, code }));

test('a bucket that can be used is fine and stays empty', async () => {
  const { store, objects } = memoryObjectStore();
  expect(await bucketProblem(store)).toBeUndefined();
  expect(objects.size).toBe(0);
});

const PROBLEMS = [
  { name: 'there is none', changes: { put: refuse('NoSuchBucket') }, says: /^media\.s3\.bucket: .* cannot be written/ },
  {
    name: 'an unknown key',
    changes: { put: refuse('InvalidAccessKeyId') },
    says: /^media\.s3\.credentialsDirectory: /,
  },
  { name: 'nobody there', changes: { put: refuse(UNREACHABLE) }, says: /^media\.s3\.endpoint: .* cannot be written/ },
  { name: 'another region', changes: { put: refuse('PermanentRedirect') }, says: /^media\.s3\.region: / },
  { name: 'no right to read', changes: { get: refuse('AccessDenied') }, says: /^media\.s3: .* cannot be read: / },
  {
    name: 'no right to delete',
    changes: { delete: refuse('AccessDenied') },
    says: /^media\.s3: .* cannot be deleted: /,
  },
  {
    name: 'what was written is not there',
    changes: { get: () => Promise.resolve(undefined) },
    says: /s3:\/\/files\/test\.example\/media\/ cannot be read: it is not what was written$/,
  },
];

test.for(PROBLEMS)('$name: the message names the field and what was tried', async ({ changes, says }) => {
  const problem = await bucketProblem(memoryObjectStore(changes).store);
  expect(problem?.message).toMatch(says);
  expect(problem?.passing).toBe(false);
});

test('an object that cannot be read is deleted all the same', async () => {
  const { store, objects } = memoryObjectStore({ get: refuse('AccessDenied') });
  await bucketProblem(store);
  expect(objects.size).toBe(0);
});

test('a store that is away may come back', async () => {
  expect(await bucketProblem(memoryObjectStore({ put: refuse(undefined, true) }).store)).toMatchObject({
    passing: true,
  });
});

test('what is no failure of the store is a defect and is thrown on', async () => {
  const { store } = memoryObjectStore({ put: () => Promise.reject(new TypeError('defect')) });
  await expect(bucketProblem(store)).rejects.toThrow('defect');
});
