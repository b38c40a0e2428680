import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

test('a timeline filter leaves out the rooms that it names, and only their timelines', async () => {
  const [wanted, unwanted] = [await alice.createRoom(), await alice.createRoom({ name: 'quiet' })];
  for (const roomId of [wanted, unwanted]) await alice.send(roomId, 'said');
  const reader = new SyncReader(server, alice);
  for (const timeline of [{ not_rooms: [unwanted] }, { rooms: [wanted] }]) {
    const { join } = (await reader.sync({ filter: { room: { timeline } } })).rooms;
    expect(bodiesOf(join[wanted]?.timeline.events ?? [])).toEqual(['said']);
    expect(join[unwanted]?.timeline.events).toEqual([]);
    expect(JSON.stringify(join[unwanted]?.state)).toContain('quiet');
  }
});

test('a filter may ask for events as servers give them to each other', async () => {
  const roomId = await alice.createRoom({ name: 'raw' });
  await alice.send(roomId, 'said');
  const filter = { event_format: 'federation', room: { timeline: { limit: 1 } } };
  const room = (await new SyncReader(server, alice).sync({ filter })).rooms.join[roomId];
  const state = room?.state?.events.find((event) => event.type === 'm.room.name');
  for (const event of [room?.timeline.events[0], state]) {
    expect(event).toHaveProperty('event_id');
    expect(event).toMatchObject({ room_id: roomId, hashes: {}, signatures: { [server.serverName]: {} } });
  }
});

test('a filter says how many events of state, data and what passes by are given, in an initial sync and after', async () => {
  const roomId = await alice.createRoom({ name: 'limited' });
  const reader = new SyncReader(server, alice);
  const eventId = await alice.send(roomId, 'read');
  const data = async (value: number) => {
    for (const type of ['org.one', 'org.two'])
      for (const path of [`/rooms/${roomId}/account_data`, '/account_data'])
        await alice.request('PUT', `/user/${alice.userId}${path}/${type}`, { value });
  };
  const filterOf = (limit: number) => {
    const parts = { state: { limit }, account_data: { limit }, ephemeral: { limit } };
    return { account_data: { limit }, room: { rooms: [roomId], timeline: { limit: 1 }, ...parts } };
  };
  const counted = async (limit: number, since?: string) => {
    const filter = filterOf(limit);
    const answer = await reader.sync({ filter, ...(since !== undefined && { since }) });
    const room = answer.rooms.join[roomId];
    const parts = [room?.state, room?.account_data, room?.ephemeral, answer.account_data];
    return parts.map((part) => part?.events.length);
  };
  await data(1);
  await alice.request('POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, {});
  const { next_batch: since } = await reader.sync();
  expect(await counted(1)).toEqual([1, 1, 1, 1]);
  expect(await counted(0)).toEqual([0, 0, 0, 0]);
  await alice.setState(roomId, 'm.room.name', { name: 'one' });
  await alice.setState(roomId, 'm.room.topic', { topic: 'two' });
  await alice.send(roomId, 'newest');
  await data(2);
  await alice.request('PUT', `/rooms/${roomId}/typing/${alice.userId}`, { typing: true, timeout: 60_000 });
  await alice.request('POST', `/rooms/${roomId}/receipt/m.read/${eventId}`, { thread_id: 'main' });
  expect(await counted(1, since)).toEqual([1, 1, 1, 1]);
  expect((await counted(100, since)).slice(0, 2)).toEqual([2, 2]);
  const newest = (await reader.sync({ filter: filterOf(1), since })).rooms.join[roomId]?.state?.events;
  expect(newest).toMatchObject([{ type: 'm.room.topic' }]);
});

const wrongIds = [
  { room: { timeline: { rooms: ['not_a_room_id'] } } },
  { room: { not_rooms: ['#alias:test.example'] } },
  { room: { state: { senders: ['not_a_sender_id'] } } },
  { presence: { not_senders: ['@nobody'] } },
];

test.for(wrongIds)('a filter with what is no id is refused: %j', async (filter) => {
  const answer = await alice.request('POST', `/user/${alice.userId}/filter`, filter);
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test.for(['b', 'f'])('a filter of /messages that leaves the room out gives nothing, in direction %s', async (dir) => {
  const roomId = await alice.createRoom();
  await alice.send(roomId, 'said');
  const reader = new SyncReader(server, alice);
  const filter = JSON.stringify({ not_rooms: [roomId] });
  expect((await reader.messages(roomId, { dir, filter })).chunk).toEqual([]);
  expect(bodiesOf((await reader.messages(roomId, { dir, filter: '{}', limit: '50' })).chunk)).toEqual(['said']);
});

test('history without a direction is refused, to those who may not see the room for that reason', async () => {
  const roomId = await alice.createRoom();
  const path = `/rooms/${roomId}/messages`;
  expect(await alice.request('GET', path)).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } });
  const mallory = await newClient(server);
  expect(await mallory.request('GET', path)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
});
