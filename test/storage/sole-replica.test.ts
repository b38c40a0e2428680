import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../homeserver/storage/store.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMessage, newRoom, openTestStore } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

/** A replica that nobody stands beside asks nobody what happened, and never misses what somebody else has acknowledged. */
let database: TestDatabase;
const stores: Store[] = [];

const open = async (): Promise<Store> => {
  const store = await openTestStore(database);
  stores.push(store);
  return store;
};

beforeEach(async () => {
  database = await createDatabase();
});
afterEach(async () => {
  await Promise.all(stores.splice(0).map((store) => store.close()));
  await database.drop();
});

const loseWakeUps = async () => {
  const client = await database.connect();
  await client.query(`create schema lost;
    create function lost.pg_notify(text, text) returns void language sql as 'select';
    alter database ${database.name} set search_path = lost, public, pg_catalog`);
};

async function write(store: Store) {
  const room = await newRoom(store);
  const { lastPosition } = await store.batches.write({ rooms: [room], streams: [] });
  return { room, lastPosition };
}

/** Whether catching up costs nothing. */
async function asksNobody(store: Store): Promise<boolean> {
  const original = store.db.query.bind(store.db);
  let asked = false;
  store.db.query = (statement) => {
    asked ||= statement.name === 'commits_select_after';
    return original(statement);
  };
  await store.feed.catchUp();
  store.db.query = original;
  return !asked;
}

const becomesAlone = (store: Store) =>
  waitFor(() => asksNobody(store), { what: 'the replica to know that it is alone' });

test('a replica that is alone knows its own commits before it acknowledges them, and asks for no others', async () => {
  const store = await open();
  await write(store);
  await becomesAlone(store);
  const { room, lastPosition } = await write(store);
  expect(store.feed.seen).toBe(lastPosition);
  const message = await newMessage(store, room.newSnapshot);
  const written = store.batches.write({
    rooms: [messagesInto(room.roomNo, room.newSnapshot, [message])],
    streams: [],
  });
  expect(await asksNobody(store)).toBe(false);
  const { lastPosition: next } = await written;
  expect(store.feed.seen).toBe(next);
  await becomesAlone(store);
});

const wakeUps = [
  { name: 'says that it knows of it', lost: false },
  { name: 'hears nothing', lost: true },
];

test.for(wakeUps)('what a newcomer acknowledges first is known to one that was alone and $name', async ({ lost }) => {
  if (lost) await loseWakeUps();
  const first = await open();
  await write(first);
  await becomesAlone(first);
  const second = await open();
  const { lastPosition } = await write(second);
  await first.feed.catchUp();
  expect(first.feed.seen).toBe(lastPosition);
  expect(await asksNobody(first)).toBe(false);
  await second.close();
  stores.splice(stores.indexOf(second), 1);
  await becomesAlone(first);
});

test('a process that died keeps the others asking: it may come to life again', async () => {
  const client = await database.connect();
  const store = await open();
  await becomesAlone(store);
  await client.query(`insert into ops.replica (id, software_version, schema_level, clock, heartbeat, backend_tag)
    values ('dead', '', 1, 0, 0, 'dead')`);
  await waitFor(async () => !(await asksNobody(store)), { what: 'the replica to see that it is not alone' });
});

test('who is alone tells nobody of what it writes, and whoever has come since is told', async () => {
  const client = await database.connect();
  const heard: (string | undefined)[] = [];
  client.on('notification', ({ payload }) => heard.push(payload));
  await client.query('listen commits');
  const first = await open();
  const isQuiet = async (): Promise<boolean> => {
    await becomesAlone(first);
    heard.length = 0;
    // Whoever is told of the first of them is told before the last is written.
    for (let i = 0; i < 12; i += 1) await write(first);
    await client.query(`notify commits, 'end'`);
    await waitFor(() => heard.includes('end'), { what: 'what was sent before to arrive' });
    return heard.length === 1;
  };
  // On a busy machine a look may be late, and then somebody else may be there.
  await waitFor(isQuiet, { what: 'a write that nobody is told of' });
  const second = await open();
  await waitFor(async () => !(await asksNobody(first)), { what: 'the first to know of the second' });
  heard.length = 0;
  const { lastPosition } = await write(first);
  await waitFor(() => heard.length > 0, { what: 'the write to be told' });
  await waitFor(() => second.feed.seen >= lastPosition, { what: 'the second to know of the write' });
});
