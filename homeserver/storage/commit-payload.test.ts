import fc from 'fast-check';
import { expect, test } from 'vitest';
import { decodeCommit, encodeCommit } from './commit-payload.ts';

const number = fc.integer({ min: 0, max: Number.MAX_SAFE_INTEGER });
const numbers = fc.array(number, { maxLength: 50 });
const commit = fc.record({
  previous: number,
  last: number,
  replica: number,
  serverStart: number,
  rooms: numbers,
  users: numbers,
});

test('what is encoded decodes to the same', () => {
  fc.assert(
    fc.property(commit, (given) => {
      expect(decodeCommit(encodeCommit(given))).toEqual(given);
    }),
  );
});

test('rooms and users that do not fit are left out and asked for', () => {
  const rooms = Array.from({ length: 2000 }, (_, i) => 1e12 + i);
  const payload = encodeCommit({ previous: 1, last: 2, replica: 3, serverStart: 4, rooms, users: [] });
  expect(payload).toBe('1,2,3,4;*');
  expect(decodeCommit(payload)).toEqual({
    previous: 1,
    last: 2,
    replica: 3,
    serverStart: 4,
    rooms: undefined,
    users: undefined,
  });
});

test.for(['', '1,2,3', '1,2,3,4', '1,2,3,4;r:1', 'x;*', '1,2,3,4;r:A;u:', '{"a":1}'])(
  'a payload that nobody wrote is ignored: %s',
  (payload) => {
    expect(decodeCommit(payload)).toBeUndefined();
  },
);
