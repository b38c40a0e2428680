import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, RoomClient } from '../support/room-client.ts';
import { bodiesOf, byText, namesOf, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const reader = (client: RoomClient) => new SyncReader(server, client);

test('an initial sync has the whole of a small room in its timeline', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'The room' });
  await alice.send(roomId, 'one');
  const room = (await reader(alice).sync()).rooms.join[roomId];
  expect(room?.timeline.limited).toBe(false);
  expect(room?.state?.events).toEqual([]);
  expect(namesOf(room?.timeline.events ?? [])[0]).toBe('m.room.create/');
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(['one']);
  expect(room?.summary).toEqual({ 'm.heroes': [], 'm.joined_member_count': 1, 'm.invited_member_count': 0 });
});

test('an incremental sync has what came since, and nothing when nothing came', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const device = reader(bob);
  await device.next();
  await alice.send(roomId, 'two');
  await alice.setState(roomId, 'm.room.topic', { topic: 'new' });
  const room = (await device.next()).rooms.join[roomId];
  expect(namesOf(room?.timeline.events ?? [])).toEqual(['m.room.message', 'm.room.topic/']);
  expect(room).toMatchObject({ timeline: { limited: false }, state: { events: [] } });
  expect(room?.summary).toBeUndefined();
  expect((await device.next()).rooms.join).toEqual({});
});

test('a limited timeline is joined by paging back, and the state that changed in the gap is given', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const device = reader(bob);
  const since = (await device.next()).next_batch;
  await alice.setState(roomId, 'm.room.topic', { topic: 'in the gap' });
  const sent = Array.from({ length: 30 }, (_, i) => `message ${i}`);
  for (const body of sent) await alice.send(roomId, body);
  const room = (await device.next({ filter: { room: { timeline: { limit: 7 } } } })).rooms.join[roomId];
  expect(room?.timeline.limited).toBe(true);
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(sent.slice(-7));
  expect(namesOf(room?.state?.events ?? [])).toEqual(['m.room.topic/']);
  const found = [];
  for (let from: string | undefined = room?.timeline.prev_batch; from !== undefined; ) {
    const page = await device.messages(roomId, { dir: 'b', from, to: since, limit: '5' });
    found.push(...page.chunk);
    from = page.chunk.length === 0 ? undefined : page.end;
  }
  expect(bodiesOf(found.toReversed())).toEqual(sent.slice(0, -7));
  expect(namesOf(found).at(-1)).toBe('m.room.topic/');
});

test('with state_after the state at the end is given and none at the start', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const device = new SyncReader(server, alice, { useStateAfter: true });
  const first = (await device.next()).rooms.join[roomId];
  expect(first?.state).toBeUndefined();
  expect(namesOf(first?.state_after?.events ?? [])).toContain('m.room.create/');
  await alice.setState(roomId, 'm.room.topic', { topic: 'a' });
  await alice.setState(roomId, 'm.room.topic', { topic: 'b' });
  const room = (await device.next()).rooms.join[roomId];
  expect(room?.state_after?.events.map((event) => event.content)).toEqual([{ topic: 'b' }]);
  await alice.send(roomId, 'no state');
  expect((await device.next()).rooms.join[roomId]?.state_after).toEqual({ events: [] });
});

test('full_state gives all state of all rooms without the timeline again', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'full' });
  const device = reader(alice);
  await device.next();
  const room = (await device.next({ fullState: true, timeout: 20_000 })).rooms.join[roomId];
  expect(room?.timeline.events).toEqual([]);
  expect(namesOf(room?.state?.events ?? [])).toEqual(expect.arrayContaining(['m.room.create/', 'm.room.name/']));
});

test('state that the timeline filter leaves out is given as state', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const device = new SyncReader(server, alice, { filter: { room: { timeline: { types: ['m.room.message'] } } } });
  await device.next();
  await alice.send(roomId, 'x');
  await alice.setState(roomId, 'm.room.topic', { topic: 'unseen' });
  const room = (await device.next()).rooms.join[roomId];
  expect(namesOf(room?.timeline.events ?? [])).toEqual(['m.room.message']);
  expect(namesOf(room?.state?.events ?? [])).toEqual(['m.room.topic/']);
});

test('a filter looks further back until its limit is full', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await alice.send(roomId, 'rare');
  for (let i = 0; i < 40; i += 1) await alice.trySend(roomId, { n: i }, { type: 'com.example.common' });
  const filter = {
    room: { rooms: [roomId], timeline: { types: ['m.room.m*'], not_types: ['m.room.member'], limit: 2 } },
  };
  const answer = await reader(alice).sync({ filter });
  expect(Object.keys(answer.rooms.join)).toEqual([roomId]);
  expect(bodiesOf(answer.rooms.join[roomId]?.timeline.events ?? [])).toEqual(['rare']);
});

test('a stored filter is the same as its JSON, and is found again', async () => {
  const filter = { room: { timeline: { limit: 1 } } };
  const path = `/user/${alice.userId}/filter`;
  const made = await alice.request('POST', path, filter);
  expect((await alice.request('POST', path, filter)).body).toEqual(made.body);
  const id = z.looseObject({ filter_id: z.string() }).parse(made.body).filter_id;
  expect((await alice.request('GET', `${path}/${id}`)).body).toEqual(filter);
  const roomId = await alice.createRoom({});
  expect((await reader(alice).sync({ filter: id })).rooms.join[roomId]?.timeline.events).toHaveLength(1);
  expect(await alice.request('GET', `${path}/999`)).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect(await bob.request('GET', `${path}/${id}`)).toMatchObject({ status: 403 });
});

test.for([
  { query: 'since=nonsense' },
  { query: 'filter=999999' },
  { query: 'filter={' },
  { query: 'timeout=-1' },
  { query: 'full_state=maybe' },
  { query: 'filter={"room":{"timeline":{"limit":"x"}}}' },
])('a wrong parameter is refused: $query', async ({ query }) => {
  expect(await alice.request('GET', `/sync?${query}`)).toMatchObject({
    status: 400,
    body: { errcode: 'M_INVALID_PARAM' },
  });
});

test('the transaction id is told to the device that sent the event only', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const other = new SyncReader(server, await secondDevice(alice));
  const device = reader(alice);
  await Promise.all([device.next(), other.next()]);
  await alice.send(roomId, 'mine', 'my-txn');
  const unsignedOf = async (who: SyncReader) => (await who.next()).rooms.join[roomId]?.timeline.events[0]?.unsigned;
  expect(await unsignedOf(device)).toMatchObject({ transaction_id: 'my-txn', membership: 'join' });
  expect(await unsignedOf(other)).not.toHaveProperty('transaction_id');
});

test('a state event tells what it replaced', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'before' });
  const device = reader(alice);
  const first = await device.next();
  const old = first.rooms.join[roomId]?.timeline.events.find((event) => event.type === 'm.room.name');
  await alice.setState(roomId, 'm.room.name', { name: 'after' });
  const [event] = (await device.next()).rooms.join[roomId]?.timeline.events ?? [];
  expect(event?.unsigned).toMatchObject({ prev_content: { name: 'before' }, replaces_state: old?.event_id });
});

test('a redacted event comes without its content, with the redaction', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const eventId = await alice.send(roomId, 'secret');
  await alice.redact(roomId, eventId, { reason: 'no' });
  const events = (await reader(alice).sync()).rooms.join[roomId]?.timeline.events ?? [];
  const redacted = events.find((event) => event.event_id === eventId);
  expect(redacted).toMatchObject({ content: {}, unsigned: { redacted_because: { type: 'm.room.redaction' } } });
  expect(JSON.stringify(events)).not.toContain('secret');
  expect((await alice.request('GET', `/rooms/${roomId}/event/${eventId}`)).body).toMatchObject({ content: {} });
});

test('the summary names the first members and follows the counts', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', invite: [bob.userId] });
  const device = reader(alice);
  const heroes = { 'm.heroes': [bob.userId] };
  expect((await device.next()).rooms.join[roomId]?.summary).toEqual({
    ...heroes,
    'm.joined_member_count': 1,
    'm.invited_member_count': 1,
  });
  await bob.join(roomId);
  expect((await device.next()).rooms.join[roomId]?.summary).toEqual({
    ...heroes,
    'm.joined_member_count': 2,
    'm.invited_member_count': 0,
  });
});

test('a sync runs as many statements for many rooms as for one', async () => {
  const carol = new SyncReader(server, await newClient(server));
  const addRoom = async () => {
    const roomId = await alice.createRoom({ preset: 'public_chat', name: 'n', invite: [bob.userId] });
    for (let i = 0; i < 25; i += 1) await alice.send(roomId, `message ${i}`);
    await carol.client.join(roomId);
    return roomId;
  };
  const statements = async (since?: string) => {
    const names = await statementsDuring(server.replicas[0], () =>
      carol.sync({ replica: 0, ...(since !== undefined && { since }) }),
    );
    // Tokens are looked up again after a second.
    return names.filter((name) => name !== 'access_tokens_select_owners');
  };
  const before = (await carol.next({ replica: 0 })).next_batch;
  const rooms = [await addRoom()];
  const forOne = { initial: await statements(), since: await statements(before) };
  for (let i = 0; i < 5; i += 1) rooms.push(await addRoom());
  expect(await statements()).toHaveLength(forOne.initial.length);
  expect(await statements(before)).toHaveLength(forOne.since.length);
  expect(Object.keys((await carol.sync()).rooms.join).toSorted(byText)).toEqual(rooms.toSorted(byText));
});

async function secondDevice(client: RoomClient): Promise<RoomClient> {
  return new RoomClient(server, await server.login(client.user));
}
