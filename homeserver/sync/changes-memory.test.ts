import { expect, test } from 'vitest';
import { Caches } from '../caches.ts';
import type { MembershipRow } from '../storage/sync-reads/select-changes.ts';
import type { RoomNewsRow } from '../storage/sync-reads/select-room-news.ts';
import type { Store } from '../storage/store.ts';
import type { Commit, CommitFeed } from '../storage/write-batch.ts';
import { ChangesMemory } from './changes-memory.ts';
import { Notifier } from './notifier.ts';

const READER = 7;
const ROOM = 1;

/** A store whose one statement is answered by hand, and a feed that hands on what it is given. */
function newWorld() {
  const listeners = new Set<(commit: Commit) => void>();
  const resets = new Set<() => void>();
  const unseen: Commit[] = [];
  const feed = {
    seen: 10,
    onCommit: (listener: (commit: Commit) => void) => {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onReset: (listener: () => void) => {
      resets.add(listener);
      return () => resets.delete(listener);
    },
    catchUp: () => {
      for (const commit of unseen.splice(0)) see(commit);
      return Promise.resolve();
    },
    publishVolatile: () => undefined,
    onVolatile: () => () => undefined,
  } satisfies CommitFeed;
  const see = (commit: Commit): void => {
    feed.seen = commit.last;
    for (const listener of listeners) listener(commit);
  };
  const asked: PromiseWithResolvers<RoomNewsRow[]>[] = [];
  const query = (): Promise<never> => {
    const answer = Promise.withResolvers<RoomNewsRow[]>();
    asked.push(answer);
    return answer.promise as Promise<never>;
  };
  const caches = new Caches();
  const db: Store['db'] = {
    query,
    transaction: () => Promise.reject(new Error('none')),
    close: () => Promise.resolve(),
  };
  const notifier = new Notifier({ feed, caches }, { set: () => undefined });
  const memory = new ChangesMemory({ db, feed, caches }, notifier);
  const answer = (head: number, at = asked.length - 1) => asked[at]?.resolve([news(head)]);
  return { memory, see, unseen, asked, answer, reset: () => resets.forEach((listener) => listener()) };
}

const commit = (last: number, rooms: number[], users: number[] = []): Commit => ({
  previous: last - 1,
  last,
  replica: 1,
  rooms,
  users,
});

const shared = { room_no: ROOM, room_id: '!room', version: 12, snapshot: 5, joined: 2, invited: 0, base: 5 };
const own = { membership: 1, flags: 0, position: 3, event_no: 30, reads_position: 3 };

function news(head: number): RoomNewsRow {
  return { ...shared, last_position: head, since: 10, head, receipts: [] };
}

/** What a sync of the reader has found at a position. */
function found(head: number, rooms: MembershipRow[] = [{ ...shared, ...own, last_position: head }]) {
  const changes = { head, rooms, receipts: [], account_data: [], rules_position: 0 };
  return { changes, interest: { userNo: READER, rooms: new Set([ROOM]) } };
}

test('readers who go on from the same position share one read, and each has what is their own', async () => {
  const { memory, see, asked, answer } = newWorld();
  memory.remember(found(10));
  see(commit(11, [ROOM]));
  const both = [memory.read(READER, 10), memory.read(READER, 10)];
  answer(11);
  for (const read of await Promise.all(both))
    expect(read?.changes).toEqual({ ...found(11).changes, rooms: [{ ...shared, ...own, last_position: 11 }] });
  expect(await memory.read(READER, 10)).toBeDefined();
  expect(asked).toHaveLength(1);
  see(commit(12, [ROOM]));
  const next = memory.read(READER, 10);
  answer(12);
  expect((await next)?.changes.head).toBe(12);
  expect(asked).toHaveLength(2);
});

test('what was read ahead of the commits that are known is used once they are, if they concern nobody else', async () => {
  const { memory, see, unseen, answer } = newWorld();
  memory.remember(found(10));
  see(commit(11, [ROOM]));
  unseen.push(commit(12, [ROOM]), commit(13, [9]));
  const read = memory.read(READER, 10);
  answer(13);
  expect((await read)?.changes.head).toBe(13);
});

test.for([
  { name: 'names the reader', meanwhile: commit(12, [], [READER]) },
  { name: 'touches another room of theirs', meanwhile: commit(12, [2]) },
])('a commit that $name while the news are read: all is asked for', async ({ meanwhile }) => {
  const { memory, see, unseen, answer } = newWorld();
  const looked = found(10);
  memory.remember({ ...looked, interest: { userNo: READER, rooms: new Set([ROOM, 2]) } });
  see(commit(11, [ROOM]));
  unseen.push(meanwhile);
  const read = memory.read(READER, 10);
  answer(12);
  expect(await read).toBeUndefined();
});

test('nothing is told of a reader whom a commit has named, of a room that was not read, or after a reset', async () => {
  const { memory, see, reset } = newWorld();
  memory.remember(found(10, []));
  see(commit(11, [ROOM]));
  expect(await memory.read(READER, 10)).toBeUndefined();
  memory.remember(found(11));
  see(commit(12, [], [READER]));
  expect(await memory.read(READER, 11)).toBeUndefined();
  // Read before the commit was seen: void.
  memory.remember(found(11));
  see(commit(13, [ROOM]));
  expect(await memory.read(READER, 12)).toBeUndefined();
  memory.remember(found(13));
  reset();
  see(commit(14, [ROOM]));
  expect(await memory.read(READER, 13)).toBeUndefined();
});
