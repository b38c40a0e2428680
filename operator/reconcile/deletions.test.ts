import { expect, test } from 'vitest';
import { createDeletions } from './deletions.ts';

test('an age begins when a resource is first asked about, and anew for another one of the same name', () => {
  let now = 1000;
  const deletions = createDeletions(() => now);
  expect(deletions.ageMs('a/chat', 'one')).toBe(0);
  now += 90_000;
  expect(deletions.ageMs('a/chat', 'one')).toBe(90_000);
  expect(deletions.ageMs('a/chat', 'two')).toBe(0);
  expect(deletions.ageMs('b/chat', 'three')).toBe(0);
  now += 5;
  expect(deletions.ageMs('a/chat', 'two')).toBe(5);
  deletions.forget('a/chat');
  expect(deletions.ageMs('a/chat', 'two')).toBe(0);
});

test('what was read for a resource is kept for it alone, until it is gone', () => {
  const deletions = createDeletions(() => 0);
  const login = { host: 'db', port: 5432, database: 'postgres', username: 'admin', password: 'secret' };
  const access = { admin: { ...login, tls: { mode: 'Disable' as const }, credentials: 'Secret a/admin' }, claim: 'x' };
  expect(deletions.accessOf('a/chat', 'one')).toBeUndefined();
  deletions.keepAccess('a/chat', 'one', access);
  expect(deletions.accessOf('a/chat', 'one')).toBe(access);
  expect(deletions.accessOf('a/chat', 'two')).toBeUndefined();
  expect(deletions.accessOf('a/chat', 'one')).toBeUndefined();
  deletions.keepAccess('a/chat', 'one', access);
  deletions.forget('a/chat');
  expect(deletions.accessOf('a/chat', 'one')).toBeUndefined();
});
