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
