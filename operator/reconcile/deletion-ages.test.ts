import { expect, test } from 'vitest';
import { createDeletionAges } from './deletion-ages.ts';

test('an age begins when a resource is first asked about, and anew for another one of the same name', () => {
  let now = 1000;
  const ages = createDeletionAges(() => now);
  expect(ages.ageMs('a/chat', 'one')).toBe(0);
  now += 90_000;
  expect(ages.ageMs('a/chat', 'one')).toBe(90_000);
  expect(ages.ageMs('a/chat', 'two')).toBe(0);
  expect(ages.ageMs('b/chat', 'three')).toBe(0);
  now += 5;
  expect(ages.ageMs('a/chat', 'two')).toBe(5);
  ages.forget('a/chat');
  expect(ages.ageMs('a/chat', 'two')).toBe(0);
});
