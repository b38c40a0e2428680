import { afterAll, beforeAll, expect, test } from 'vitest';
import type { EventId } from '../../homeserver/room/identifiers.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { insertUnplacedEvents } from '../../homeserver/storage/tables/events.ts';
import type { RoomWrite } from '../../homeserver/storage/write-batch.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMemberChange, newMessage, newRoom, openTestStore } from '../support/store-fixture.ts';

let database: TestDatabase;
let store: Store;
beforeAll(async () => {
  database = await createDatabase();
  store = await openTestStore(database);
});
afterAll(async () => {
  await store.close();
  await database.drop();
});

const write = (rooms: readonly RoomWrite[]) => store.batches.write({ rooms, streams: [] });

interface Room {
  readonly roomNo: number;
  readonly snapshot: number;
  readonly tips: readonly number[];
  readonly firstEventId: EventId;
}

async function existingRoom(): Promise<Room> {
  const room = await newRoom(store);
  await write([room]);
  const [first] = room.events;
  if (first === undefined) throw new Error('the room has no event');
  return { roomNo: room.roomNo, snapshot: room.newSnapshot, tips: room.newTips, firstEventId: first.eventId };
}

/** Whatever a room's part of a batch can hold; every table that a batch writes gets something of it. */
async function fullPart(room: Room): Promise<{ part: RoomWrite; numbers: number[] }> {
  const where = { ...room, tips: () => Promise.resolve(room.tips) };
  const joins = await newMemberChange(store, where, { userId: '@never:seen.example', membership: 1 });
  const topic = await store.names.stateKeyNo('m.room.topic', '');
  const target = await newMessage(store, room.snapshot);
  const relation = { relType: 1, parentId: target.eventId, key: 'k' };
  const message = await newMessage(store, joins.after, {
    relation,
    redacts: target.eventId,
    redactsOwn: true,
    transaction: { deviceNo: 11, txnId: 'of a refused room' },
    received: { outlier: false, redacted: false },
  });
  const redaction = await newMessage(store, joins.after, { redacts: room.firstEventId });
  const known = await newMessage(store, joins.after);
  await insertUnplacedEvents(store.db, [{ roomNo: room.roomNo, event: known, flags: 1 }]);
  const outlier = { ...known, received: { outlier: true, redacted: false } };
  const create = await store.names.stateKeyNo('m.room.create', '');
  const member = { eventNo: joins.event.eventNo, membership: 1 };
  const keys = [
    [topic, joins.event.eventNo],
    [create, 0],
  ] as const;
  const changes = { keys: new Map(keys), members: new Map([[joins.userNo, member]]) };
  const events = [{ ...joins.event, authEvents: [1] }, message, redaction, outlier];
  const part: RoomWrite = { ...joins.part, events, changes, merged: true };
  return { part, numbers: [...events.map(({ eventNo }) => eventNo), joins.after, joins.userNo] };
}

/** Everything that a batch may have written under one of these numbers or in one of these rooms. */
async function traces(roomNos: readonly number[], numbers: readonly number[]): Promise<string[]> {
  const tables = `select row_to_json(t)::text as row from events t where event_no = any($2) and position is not null
    union all select row_to_json(t)::text from snapshots t where snapshot = any($2)
    union all select row_to_json(t)::text from merged_states t where event_no = any($2)
    union all select row_to_json(t)::text from transactions t where event_no = any($2)
    union all select row_to_json(t)::text from event_auth t where event_no = any($2)
    union all select row_to_json(t)::text from event_relations t where event_no = any($2)
    union all select row_to_json(t)::text from redactions t where event_no = any($2)
    union all select row_to_json(t)::text from waiting_redactions t where event_no = any($2)
    union all select row_to_json(t)::text from rooms t where room_no = any($1)
    union all select row_to_json(t)::text from current_state t where room_no = any($1)
    union all select row_to_json(t)::text from memberships t where room_no = any($1)
    union all select row_to_json(t)::text from room_servers t where room_no = any($1)
    union all select row_to_json(t)::text from commits t where rooms && $1 or users && $2`;
  const client = await database.connect();
  const { rows } = await client.query<{ row: string }>(`select row from (${tables}) w (row) order by row`, [
    roomNos,
    numbers,
  ]);
  await client.end();
  return rows.map(({ row }) => row);
}

test('a refused room leaves nothing of itself in any table, whatever else is in its batch', async () => {
  const [room, still] = [await existingRoom(), await existingRoom()];
  const { part, numbers } = await fullPart(room);
  const [taken, made] = [await newRoom(store), await newRoom(store)];
  await write([taken]);
  const newcomer: RoomWrite = { ...made, newRoom: { roomId: taken.roomId, version: 12 } };
  const seen = [...numbers, made.newSnapshot, ...made.events.map(({ eventNo }) => eventNo)];
  const roomNos = [room.roomNo, made.roomNo];
  const before = await traces(roomNos, seen);
  const stale = { ...part, expectedSnapshot: part.expectedSnapshot - 1 };
  const good = messagesInto(still.roomNo, still.snapshot, [await newMessage(store, still.snapshot)]);
  const result = await write([stale, newcomer, good]);
  expect([...result.refusedRooms].toSorted((a, b) => a - b)).toEqual(roomNos.toSorted((a, b) => a - b));
  expect(result.positions.size).toBe(1);
  expect(await traces(roomNos, seen)).toEqual(before);
  // Otherwise nothing was shown.
  expect((await write([part])).refusedRooms.size).toBe(0);
  expect((await traces(roomNos, seen)).length).toBeGreaterThan(before.length + 9);
});
