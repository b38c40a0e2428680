import { afterEach, beforeEach, expect, test } from 'vitest';
import type { Store } from '../../homeserver/storage/store.ts';
import type { Commit } from '../../homeserver/storage/write-batch.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMessage, newRoom, openTestStore } from '../support/store-fixture.ts';
import { waitFor } from '../support/wait-for.ts';

let database: TestDatabase;
let writer: Store;
let reader: Store;
let heard: Commit[];

beforeEach(async () => {
  database = await createDatabase();
  writer = await openTestStore(database);
  reader = await openTestStore(database);
  heard = [];
  reader.feed.onCommit((commit) => heard.push(commit));
});

afterEach(async () => {
  await Promise.all([writer.close(), reader.close()]);
  await database.drop();
});

async function writeRoom() {
  const room = await newRoom(writer);
  const { lastPosition } = await writer.batches.write({ rooms: [room], streams: [] });
  return { roomNo: room.roomNo, snapshot: room.newSnapshot, lastPosition };
}

async function writeMessages(room: { roomNo: number; snapshot: number }, count: number): Promise<number[]> {
  const positions: number[] = [];
  for (let i = 0; i < count; i += 1) {
    const event = await newMessage(writer, room.snapshot);
    const part = messagesInto(room.roomNo, room.snapshot, [event]);
    positions.push((await writer.batches.write({ rooms: [part], streams: [] })).lastPosition);
  }
  return positions;
}

const sawAll = (positions: number[]) =>
  waitFor(() => reader.feed.seen >= (positions.at(-1) ?? 0), { what: 'the feed to reach the last commit' });

test('every commit reaches every replica once and in order, with its rooms and users', async () => {
  const room = await writeRoom();
  const own: number[] = [];
  writer.feed.onCommit((commit) => own.push(commit.last));
  const positions = [room.lastPosition, ...(await writeMessages(room, 30))];
  await sawAll(positions);
  expect(heard.map((commit) => commit.last)).toEqual(positions);
  expect(heard.every((commit) => commit.rooms?.[0] === room.roomNo)).toBe(true);
  await waitFor(() => writer.feed.seen >= (positions.at(-1) ?? 0), { what: 'the writer to hear its own commits' });
  expect(own.slice(-30)).toEqual(positions.slice(1));
});

test('commits whose notification never comes are found by asking', async () => {
  const client = await database.connect();
  await writeRoom();
  await sawAll([reader.feed.seen]);
  await client.query(`insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users,
    refused) select position + 1, position + 1, position, 77, at, server_start, 0, '{4711}', '{}', '{}' from commits`);
  await waitFor(() => heard.some((commit) => commit.rooms?.[0] === 4711), { what: 'the silent commit' });
});

test('catching up hands on what the database has, before it resolves', async () => {
  const client = await database.connect();
  await writeRoom();
  await sawAll([reader.feed.seen]);
  await client.query(`insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users,
    refused) select n, n, n - 1, 100 + n, at, server_start, 0, '{}', array[n], '{}'
    from commits, generate_series(position + 1, position + 2500) n`);
  await reader.feed.catchUp();
  expect(heard.at(-1)?.users).toEqual([reader.feed.seen]);
  expect(heard.length).toBeGreaterThanOrEqual(2500);
});

test('a listening connection that is cut is made again and nothing is missed', async () => {
  const admin = await database.connectAsSuperuser();
  const room = await writeRoom();
  const positions = [room.lastPosition];
  for (let i = 0; i < 3; i += 1) {
    await admin.query("select pg_terminate_backend(pid) from pg_stat_activity where query ilike 'listen%'");
    positions.push(...(await writeMessages(room, 10)));
  }
  await sawAll(positions);
  expect(heard.map((commit) => commit.last)).toEqual(positions);
});

test('rows that are gone before they were read void everything cached', async () => {
  const client = await database.connect();
  const room = await writeRoom();
  await sawAll([room.lastPosition]);
  let resets = 0;
  reader.feed.onReset(() => {
    resets += 1;
  });
  await client.query(`insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users,
    refused) select 5000, 5000, 4999, 88, at, server_start, 0, '{1}', '{1}', '{}' from commits limit 1`);
  await reader.feed.catchUp();
  expect([resets, reader.feed.seen, heard.at(-1)?.rooms]).toEqual([1, 5000, undefined]);
});

test('another start of the server voids everything cached', async () => {
  const client = await database.connect();
  const room = await writeRoom();
  await sawAll([room.lastPosition]);
  let resets = 0;
  reader.feed.onReset(() => {
    resets += 1;
  });
  await client.query(`insert into commits (position, first_position, previous, batch, at, server_start, replica, rooms, users,
    refused) select position + 1, position + 1, position, 99, at, 2, 0, '{}', '{}', '{}' from commits
    order by position desc limit 1`);
  await reader.feed.catchUp();
  expect(resets).toBe(1);
});

test('a commit of more rooms than a notification can name arrives whole', async () => {
  const rooms = await Promise.all(Array.from({ length: 250 }, () => newRoom(writer)));
  const far = rooms.map((room, i) => ({ ...room, roomNo: 4e14 + i * 1e11, events: room.events }));
  const { lastPosition } = await writer.batches.write({ rooms: far, streams: [] });
  await sawAll([lastPosition]);
  expect(heard.at(-1)?.rooms?.length).toBe(250);
});

test('volatile messages reach all replicas, the sender too, and too long ones are refused', async () => {
  const messages: string[] = [];
  // Replicas tell each other in the same way that they have started.
  const isOther = (message: string) => !message.startsWith('replica-');
  reader.feed.onVolatile((message) => isOther(message) && messages.push(message));
  const remove = writer.feed.onVolatile((message) => isOther(message) && messages.push(`own ${message}`));
  reader.feed.publishVolatile('häh?');
  await waitFor(() => messages.length === 2, { what: 'both to hear' });
  remove();
  writer.feed.publishVolatile('x'.repeat(4000));
  await waitFor(() => messages.length === 3, { what: 'the long one' });
  expect(() => writer.feed.publishVolatile('x'.repeat(4001))).toThrow(RangeError);
});
