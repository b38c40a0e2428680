import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Commit } from '../storage/write-batch.ts';
import { concerns, RecentCommits } from './recent-commits.ts';

const interest = { userNo: 7, rooms: new Set([1, 2]) };
const commit = (last: number, rooms: number[] | undefined, users: number[] | undefined): Commit => ({
  previous: last - 1,
  last,
  replica: 1,
  rooms,
  users,
});

test.for([
  { name: 'one of the rooms', found: commit(1, [9, 2], []), is: true },
  { name: 'the user', found: commit(1, [], [7]), is: true },
  { name: 'other rooms and users', found: commit(1, [3], [8]), is: false },
  { name: 'it does not say what', found: commit(1, undefined, undefined), is: true },
])('a commit that touches $name', ({ found, is }) => {
  expect(concerns(found, interest)).toBe(is);
});

test('what came before the first commit known may have been anything', () => {
  const recent = new RecentCommits(10);
  expect(recent.mayConcern(interest, 9)).toBe(true);
  expect(recent.mayConcern(interest, 10)).toBe(false);
  recent.reset(20);
  expect(recent.mayConcern(interest, 10)).toBe(true);
});

test('memory says no only when no commit after the position is of interest, also after it has dropped old ones', () => {
  const room = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(fc.array(room, { minLength: 1, maxLength: 60 }), fc.nat(100), (rooms, at) => {
      const recent = new RecentCommits(0);
      const all = Array.from({ length: 100 }, () => rooms).flat();
      all.forEach((roomNo, i) => recent.add(commit(i + 1, [roomNo], [])));
      const position = Math.max(0, all.length - at);
      const concerned = all.slice(position).some((roomNo) => interest.rooms.has(roomNo));
      if (concerned) expect(recent.mayConcern(interest, position)).toBe(true);
      else expect(recent.mayConcern(interest, position)).toBe(false);
    }),
  );
});

test.for([
  {
    name: 'rooms with the last commit that touched each',
    after: 0,
    upTo: 9,
    touched: [
      [1, 3],
      [2, 4],
    ],
  },
  { name: 'only those after the position', after: 3, upTo: 9, touched: [[2, 4]] },
  { name: 'only those up to the other one', after: 0, upTo: 2, touched: [[1, 1]] },
  { name: 'nothing where nothing is', after: 9, upTo: 9, touched: [] },
])('rooms touched: $name', ({ after, upTo, touched }) => {
  const recent = new RecentCommits(0);
  for (const [last, rooms] of [
    [1, [1]],
    [2, [9]],
    [3, [1, 9]],
    [4, [2]],
  ] as const)
    recent.add(commit(last, [...rooms], [8]));
  expect(new Map(recent.roomsTouched(interest, { after, upTo }))).toEqual(new Map(touched as [number, number][]));
});

test('rooms touched: not known when a commit names the user, does not say what, or has been dropped', () => {
  const recent = new RecentCommits(10);
  recent.add(commit(11, [1], [7]));
  recent.add(commit(12, [1], []));
  recent.add(commit(13, undefined, undefined));
  expect(recent.roomsTouched(interest, { after: 9, upTo: 12 })).toBeUndefined();
  expect(recent.roomsTouched(interest, { after: 10, upTo: 12 })).toBeUndefined();
  expect(recent.roomsTouched(interest, { after: 11, upTo: 13 })).toBeUndefined();
  expect(recent.roomsTouched(interest, { after: 11, upTo: 12 })).toEqual(new Map([[1, 12]]));
});
