import { z } from 'zod';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { insertUnplacedEvents } from '../../homeserver/storage/tables/events.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import type { NewEvent, RoomWrite, StreamWrite } from '../../homeserver/storage/write-batch.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { messagesInto, newMemberChange, newMessage, newRoom, openTestStore } from '../support/store-fixture.ts';

let database: TestDatabase;
let store: Store;
let other: Store;

beforeAll(async () => {
  database = await createDatabase();
  store = await openTestStore(database);
  other = await openTestStore(database);
});

afterAll(async () => {
  await Promise.all([store.close(), other.close()]);
  await database.drop();
});

const write = (rooms: readonly RoomWrite[], streams: readonly StreamWrite[] = []) =>
  store.batches.write({ rooms, streams });

async function existingRoom() {
  const room = await newRoom(store);
  await write([room]);
  return { roomNo: room.roomNo, snapshot: room.newSnapshot };
}

async function rows(text: string, values: unknown[] = []): Promise<Record<string, unknown>[]> {
  const client = await database.connect();
  const { rows: found } = await client.query<Record<string, unknown>>(text, values);
  await client.end();
  return found;
}

async function tipsOf(roomNo: number): Promise<number[]> {
  const [row] = await rows('select tips::text[] as tips from rooms where room_no = $1', [roomNo]);
  return z.array(z.coerce.number()).parse(row?.['tips']);
}

const memberChange = (room: { roomNo: number; snapshot: number }, userId: string, membership: number) =>
  newMemberChange(store, { ...room, tips: () => tipsOf(room.roomNo) }, { userId, membership });

test('a batch numbers its events in their order, without gaps, and stores them as they are', async () => {
  const room = await existingRoom();
  const events = await Promise.all([newMessage(store, room.snapshot), newMessage(store, room.snapshot)]);
  const result = await write([messagesInto(room.roomNo, room.snapshot, events)]);
  expect(result.lastPosition).toBe(result.firstPosition + 1);
  expect(events.map((event) => result.positions.get(event.eventNo))).toEqual([
    result.firstPosition,
    result.lastPosition,
  ]);
  const stored = await rows('select * from events where event_no = any($1) order by position', [
    events.map((event) => event.eventNo),
  ]);
  expect(stored.map((row) => row['json'])).toEqual(events.map((event) => event.json));
  expect(stored.map((row) => row['flags'])).toEqual([96, 96]);
  const quiet = await newMessage(store, room.snapshot, { countable: false });
  const { lastPosition } = await write([messagesInto(room.roomNo, room.snapshot, [quiet])]);
  // Only what counts moves a room up in the lists of clients.
  const positions = await rows('select last_position, bump_position from rooms where room_no = $1', [room.roomNo]);
  expect(positions).toEqual([{ last_position: String(lastPosition), bump_position: String(result.lastPosition) }]);
});

test('a room whose state has moved is refused as a whole while the others of the batch are written', async () => {
  const [moved, still] = [await existingRoom(), await existingRoom()];
  const stale = await newMessage(store, moved.snapshot - 1);
  const good = await newMessage(store, still.snapshot);
  const result = await write([
    messagesInto(moved.roomNo, moved.snapshot - 1, [stale]),
    messagesInto(still.roomNo, still.snapshot, [good]),
  ]);
  expect([...result.refusedRooms]).toEqual([moved.roomNo]);
  expect([...result.positions.keys()]).toEqual([good.eventNo]);
  expect(await rows('select from events where event_no = $1', [stale.eventNo])).toEqual([]);
});

test('a room with another state is refused although all its tips are known', async () => {
  const room = await existingRoom();
  const part = messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot)]);
  const knownTips = await tipsOf(room.roomNo);
  await rows('update rooms set snapshot = snapshot + 1 where room_no = $1', [room.roomNo]);
  expect([...(await write([{ ...part, knownTips }])).refusedRooms]).toEqual([room.roomNo]);
});

test('of two replicas that change the state at once one is refused', async () => {
  const room = await existingRoom();
  const [mine, theirs] = [
    await memberChange(room, '@a:test.example', 1),
    await memberChange(room, '@b:test.example', 1),
  ];
  const results = await Promise.all([
    store.batches.write({ rooms: [mine.part], streams: [] }),
    other.batches.write({ rooms: [theirs.part], streams: [] }),
  ]);
  expect(results.map((result) => result.refusedRooms.size).sort((a, b) => a - b)).toEqual([0, 1]);
});

test('a batch in which everything is refused leaves no trace', async () => {
  const room = await existingRoom();
  const before = await rows('select count(*) from commits');
  const result = await write([messagesInto(room.roomNo, 1, [await newMessage(store, 1)])]);
  expect(result.lastPosition).toBe(result.firstPosition);
  expect(await rows('select count(*) from commits')).toEqual(before);
});

test('tips that another replica added stay beside the new ones, at most the newest ten', async () => {
  const room = await newRoom(store);
  await write([room]);
  const events = await Promise.all(Array.from({ length: 12 }, () => newMessage(store, room.newSnapshot)));
  const numbers = events.map((event) => event.eventNo);
  const [first] = room.events;
  for (const event of events) {
    const part = messagesInto(room.roomNo, room.newSnapshot, [event]);
    await write([{ ...part, usedTips: first === undefined ? [] : [first.eventNo] }]);
  }
  const tips = 'select tips::text[] as tips from rooms where room_no = $1';
  expect(await rows(tips, [room.roomNo])).toEqual([{ tips: numbers.slice(2).map(String) }]);
  const last = await newMessage(store, room.newSnapshot);
  await write([{ ...messagesInto(room.roomNo, room.newSnapshot, [last]), usedTips: numbers.slice(3) }]);
  const wanted = [numbers[2], last.eventNo].map(String);
  expect(await rows(tips, [room.roomNo])).toEqual([{ tips: wanted }]);
});

test('a change of state is refused beside a tip that it does not know of, a message is not', async () => {
  const room = await existingRoom();
  const change = await memberChange(room, '@c:test.example', 1);
  await write([messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot)])]);
  expect([...(await write([change.part])).refusedRooms]).toEqual([room.roomNo]);
  const again = await memberChange(room, '@c:test.example', 1);
  expect((await write([again.part])).refusedRooms.size).toBe(0);
});

test('a message is refused beside an unknown tip after which the state is another', async () => {
  const room = await existingRoom();
  const branch = await newMessage(store, room.snapshot, { stateAfter: room.snapshot + 1 });
  await write([messagesInto(room.roomNo, room.snapshot, [branch])]);
  const part = messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot)]);
  expect([...(await write([part])).refusedRooms]).toEqual([room.roomNo]);
  expect((await write([{ ...part, knownTips: [branch.eventNo] }])).refusedRooms.size).toBe(0);
});

test('an event of another server is stored once: refused when it is there, or is known under another number', async () => {
  const room = await existingRoom();
  const received = { outlier: false, redacted: false };
  const event = await newMessage(store, room.snapshot, { received });
  const known = await newMessage(store, room.snapshot, { received });
  await write([messagesInto(room.roomNo, room.snapshot, [event])]);
  const twice = messagesInto(room.roomNo, room.snapshot, [{ ...event, eventNo: await store.numbers.nextEventNo() }]);
  expect([...(await write([twice])).refusedRooms]).toEqual([room.roomNo]);
  await insertUnplacedEvents(store.db, [{ roomNo: room.roomNo, event: known, flags: 1 }]);
  const outlier = { ...known, received: { ...received, outlier: true } };
  const into = (one: NewEvent) => messagesInto(room.roomNo, room.snapshot, [one]);
  expect((await write([into(known)])).refusedRooms.size).toBe(1);
  expect((await write([into({ ...outlier, eventNo: await store.numbers.nextEventNo() })])).refusedRooms.size).toBe(1);
  expect((await write([into(outlier)])).positions.size).toBe(1);
  expect((await write([into(outlier)])).refusedRooms.size).toBe(1);
  expect(await rows('select flags, position > 0 as placed from events where event_id = $1', [known.eventId])).toEqual([
    { flags: 96, placed: true },
  ]);
});

test('a room id that exists already is refused', async () => {
  const [first, second] = [await newRoom(store), await newRoom(store)];
  await write([first]);
  const again: RoomWrite = { ...second, newRoom: { roomId: first.roomId, version: 12 } };
  expect([...(await write([again])).refusedRooms]).toEqual([second.roomNo]);
});

test('a transaction that is known names its event and refuses the room, also on another replica', async () => {
  const room = await existingRoom();
  const transaction = { deviceNo: 7, txnId: 'once' };
  const first = await newMessage(store, room.snapshot, { transaction });
  const again = await newMessage(store, room.snapshot, { transaction });
  await write([messagesInto(room.roomNo, room.snapshot, [first])]);
  const rooms = [messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot), again])];
  const result = await other.batches.write({ rooms, streams: [] });
  expect([...result.duplicates]).toEqual([[again.eventNo, first.eventId]]);
  expect([...result.refusedRooms]).toEqual([room.roomNo]);
});

test('the same transaction id in another room, for another type or of another device is another transaction', async () => {
  const [one, two] = [await existingRoom(), await existingRoom()];
  const transaction = { deviceNo: 8, txnId: 'once' };
  const typeNo = await store.names.typeNo('m.reaction');
  const events: [number, number, Partial<NewEvent>][] = [
    [one.roomNo, one.snapshot, { transaction }],
    [two.roomNo, two.snapshot, { transaction }],
    [one.roomNo, one.snapshot, { transaction, typeNo }],
    [one.roomNo, one.snapshot, { transaction: { ...transaction, deviceNo: 9 } }],
  ];
  for (const [roomNo, snapshot, more] of events) {
    const result = await write([messagesInto(roomNo, snapshot, [await newMessage(store, snapshot, more)])]);
    expect(result.duplicates.size).toBe(0);
  }
});

test('memberships, counts of the room and its servers follow the member events', async () => {
  const room = await existingRoom();
  const joins = await memberChange(room, '@c:one.example', 1);
  await write([joins.part]);
  const invited = await memberChange({ ...room, snapshot: joins.after }, '@d:two.example', 2);
  await write([invited.part]);
  const counts = 'select joined, invited from rooms where room_no = $1';
  expect(await rows(counts, [room.roomNo])).toEqual([{ joined: 1, invited: 1 }]);
  const left = await memberChange({ ...room, snapshot: invited.after }, '@c:one.example', 3);
  await write([left.part]);
  expect(await rows(counts, [room.roomNo])).toEqual([{ joined: 0, invited: 1 }]);
  const declined = await memberChange({ ...room, snapshot: left.after }, '@d:two.example', 3);
  await write([declined.part]);
  expect(await rows(counts, [room.roomNo])).toEqual([{ joined: 0, invited: 0 }]);
  expect(await rows('select from room_servers where room_no = $1', [room.roomNo])).toEqual([]);
  const found = await rows('select membership, event_no from memberships where room_no = $1 and user_no = $2', [
    room.roomNo,
    left.userNo,
  ]);
  expect(found).toEqual([{ membership: 3, event_no: String(left.event.eventNo) }]);
});

test('relations, redactions, auth edges and current state stand beside their events', async () => {
  const room = await newRoom(store);
  await write([room]);
  const parent = room.events[0];
  if (parent === undefined) throw new Error('the room has no event');
  const relation = { relType: 1, parentId: parent.eventId, key: '👍' };
  const reaction = await newMessage(store, room.newSnapshot, { relation });
  const elsewhere = await existingRoom();
  const foreign = await newMessage(store, elsewhere.snapshot, { redacts: parent.eventId });
  await write([messagesInto(elsewhere.roomNo, elsewhere.snapshot, [foreign])]);
  const redaction = await newMessage(store, room.newSnapshot, { redacts: parent.eventId });
  await write([messagesInto(room.roomNo, room.newSnapshot, [reaction, redaction])]);
  const related = await rows('select key from event_relations where parent_id = $1', [parent.eventId]);
  expect(related).toEqual([{ key: '👍' }]);
  // Not the one of another room, which came before.
  const redacted = await rows('select event_no from redactions where redacted_event_id = $1', [parent.eventId]);
  expect(redacted).toEqual([{ event_no: String(redaction.eventNo) }]);
  const state = await rows('select event_no from current_state where room_no = $1', [room.roomNo]);
  expect(state).toEqual([{ event_no: String(parent.eventNo) }]);
  expect(await rows('select auth from event_auth where event_no = $1', [parent.eventNo])).toEqual([{ auth: [] }]);
});

test('receipts and account data get positions after the events; the last of one key counts', async () => {
  const room = await existingRoom();
  const event = await newMessage(store, room.snapshot);
  const receipt = { kind: 'receipt', roomNo: room.roomNo, userNo: 5, receiptKind: 1, thread: '', ts: 9 } as const;
  const data = { kind: 'account_data', userNo: 5, roomNo: 0, type: 'm.direct' } as const;
  const result = await write(
    [messagesInto(room.roomNo, room.snapshot, [event])],
    [
      { ...receipt, eventNo: 1 },
      { ...data, content: '{"old":"\\u0041"}' },
      { ...data, content: '{"new":"é\\"\\\\"}' },
      { ...receipt, eventNo: event.eventNo },
    ],
  );
  expect(result.lastPosition).toBe(result.firstPosition + 4);
  const receipts = await rows('select event_no, position from receipts where room_no = $1', [room.roomNo]);
  expect(receipts).toEqual([{ event_no: String(event.eventNo), position: String(result.lastPosition) }]);
  const stored = await rows("select content, position from account_data where user_no = 5 and type = 'm.direct'");
  expect(stored).toEqual([{ content: '{"new":"é\\"\\\\"}', position: String(result.lastPosition - 1) }]);
});

test('a call that is repeated with its batch number gets the same answer and writes nothing twice', async () => {
  const room = await existingRoom();
  const event = await newMessage(store, room.snapshot);
  const client = await database.connect();
  const replica = (await rows('select max(replica_no) as no from ops.replica'))[0]?.['no'];
  const { batchArrays } = await import('../../homeserver/storage/batch-arrays.ts');
  const [server] = await rows('select (extract(epoch from pg_postmaster_start_time()) * 1000000)::int8 as start');
  const arrays = batchArrays({ rooms: [messagesInto(room.roomNo, room.snapshot, [event])], streams: [] });
  const values = [replica, 900_000, server?.['start'], ...arrays];
  const text = `select * from write_batch_1(${values.map((_, i) => `$${i + 1}`).join(', ')})`;
  const first = await client.query(text, values);
  const second = await client.query(text, values);
  expect(second.rows).toEqual(first.rows);
  const otherStart = values.with(1, 900_001).with(2, Number(server?.['start']) + 1);
  await expect(client.query(text, otherStart)).rejects.toMatchObject({ code: 'MX003', detail: server?.['start'] });
  await expect(client.query({ text: `begin isolation level repeatable read` })).resolves.toBeDefined();
  await expect(client.query(text, values)).rejects.toMatchObject({ code: 'MX002' });
  await client.end();
});

test('a fenced replica writes nothing more and learns of it', async () => {
  const fenced = await openTestStore(database);
  const room = await existingRoom();
  let told = 0;
  fenced.replica.onFenced(() => {
    told += 1;
  });
  await rows('update ops.replica set fenced_at = 1 where replica_no = $1', [fenced.replica.replicaNo]);
  const rooms = [messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot)])];
  await expect(fenced.batches.write({ rooms, streams: [] })).rejects.toMatchObject({ status: 503 });
  expect([fenced.replica.fenced, told]).toEqual([true, 1]);
  await fenced.close();
});

test('after another start of the server positions continue at the next multiple of 1e9', async () => {
  const room = await existingRoom();
  await rows('update commits set server_start = 1 where position = (select max(position) from commits)');
  const head = Number((await rows('select max(position) as p from commits'))[0]?.['p']);
  const result = await write([messagesInto(room.roomNo, room.snapshot, [await newMessage(store, room.snapshot)])]);
  expect(result.firstPosition).toBe((Math.floor(head / 1e9) + 1) * 1e9 + 1);
});

test('sessions that are ended in the middle lose nothing and write nothing twice', async () => {
  const room = await existingRoom();
  const admin = await database.connectAsSuperuser();
  const sent: number[] = [];
  const kill =
    "select pg_terminate_backend(pid) from pg_stat_activity where query like '%write_batch_1%' and pid <> pg_backend_pid()";
  for (let i = 0; i < 20; i += 1) {
    const event = await newMessage(store, room.snapshot);
    const [result] = await Promise.all([write([messagesInto(room.roomNo, room.snapshot, [event])]), admin.query(kill)]);
    sent.push(result.positions.get(event.eventNo) ?? 0);
  }
  const found = await rows('select position from events where room_no = $1 and position = any($2) order by position', [
    room.roomNo,
    sent,
  ]);
  expect(found.map((row) => Number(row['position']))).toEqual(sent);
});

test('a write of own data that was made from something older is refused, of two in one batch the first one counts', async () => {
  const tag = { kind: 'account_data', userNo: 6, roomNo: 7, type: 'm.tag' } as const;
  const refused = async (streams: readonly StreamWrite[]) => [...(await write([], streams)).refusedStreams];
  expect(await refused([{ ...tag, content: '{"by":1}', expected: 0 }])).toEqual([]);
  expect(await refused([{ ...tag, content: '{"by":2}', expected: 0 }])).toEqual([0]);
  const position = Number((await rows('select position from account_data where user_no = 6'))[0]?.['position']);
  const rules = { kind: 'push_rules', userNo: 6, expected: 0 } as const;
  const batch: StreamWrite[] = [
    { ...rules, rules: '{"by":3}' },
    { ...tag, content: '{"by":4}', expected: position },
    { ...tag, content: '{"by":5}', expected: position },
    { ...rules, rules: '{"by":6}' },
  ];
  expect(await refused(batch)).toEqual([2, 3]);
  expect(await rows('select content from account_data where user_no = 6')).toEqual([{ content: '{"by":4}' }]);
  expect(await rows('select rules from push_rules where user_no = 6')).toEqual([{ rules: '{"by":3}' }]);
  // Of another room, type or user: each stands for itself.
  const now = Number((await rows('select position from account_data where user_no = 6'))[0]?.['position']);
  const apart: StreamWrite[] = [
    { ...tag, content: '{"by":7}', expected: now },
    { ...tag, roomNo: 8, content: '{"by":8}', expected: 0 },
    { ...tag, type: 'org.example', content: '{"by":9}', expected: 0 },
    { ...tag, userNo: 9, content: '{"by":10}', expected: 0 },
    { ...rules, userNo: 9, rules: '{"by":11}' },
  ];
  expect(await refused(apart)).toEqual([]);
});

test('a stay begins with the join and goes on through changes of the membership, until the next one', async () => {
  let room = await existingRoom();
  const change = async (membership: number) => {
    const { part, after, userNo } = await memberChange(room, '@stays:test', membership);
    const { lastPosition } = await write([part]);
    room = { ...room, snapshot: after };
    const where = [room.roomNo, userNo];
    const found = await rows('select position, joined_at from memberships where room_no = $1 and user_no = $2', where);
    expect(Number(found[0]?.['position'])).toBe(lastPosition);
    return [lastPosition, Number(found[0]?.['joined_at'])];
  };
  await change(2);
  const [joined] = await change(1);
  expect(await change(1)).toMatchObject([expect.any(Number), joined]);
  await change(3);
  const [again, since] = await change(1);
  expect(since).toBe(again);
});
