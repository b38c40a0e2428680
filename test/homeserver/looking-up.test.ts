import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const NOT_FOUND = { status: 404, body: { errcode: 'M_NOT_FOUND' } };
const roomPath = (roomId: string, rest: string) => `/rooms/${encodeURIComponent(roomId)}/${rest}`;
const byTime = (client: RoomClient, roomId: string, ts: number, dir: string) =>
  client.request('GET', `/_matrix/client/v1${roomPath(roomId, `timestamp_to_event?ts=${ts}&dir=${dir}`)}`);
const Found = z.looseObject({ event_id: z.string(), origin_server_ts: z.number() });

test('the event nearest to a time is found in each direction', async () => {
  const roomId = await alice.createRoom();
  const eventId = await alice.send(roomId, 'last');
  const last = Found.parse((await byTime(alice, roomId, Date.now() + 1000, 'b')).body);
  expect(last.event_id).toBe(eventId);
  expect(Found.parse((await byTime(alice, roomId, last.origin_server_ts, 'f')).body).origin_server_ts).toBe(
    last.origin_server_ts,
  );
  const first = Found.parse((await byTime(alice, roomId, 0, 'f')).body);
  const create = (await alice.state(roomId)).find((event) => event.type === 'm.room.create');
  expect(first.event_id).toBe(create?.event_id);
  expect(await byTime(alice, roomId, 0, 'b')).toMatchObject(NOT_FOUND);
  expect(await byTime(alice, roomId, Date.now() + 60_000, 'f')).toMatchObject(NOT_FOUND);
});

test('what the reader may not see is not found by time', async () => {
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
  });
  await alice.send(roomId, 'before bob');
  const { origin_server_ts: ts } = Found.parse((await byTime(alice, roomId, Date.now() + 1000, 'b')).body);
  expect(await byTime(bob, roomId, 0, 'f')).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  await bob.join(roomId);
  const { event_id: eventId } = Found.parse((await byTime(bob, roomId, ts, 'f')).body);
  const event = await bob.get(roomPath(roomId, `event/${encodeURIComponent(eventId)}`));
  expect(event).toMatchObject({ type: 'm.room.member', state_key: bob.userId });
});

test('an event is read without naming its room, by those who may see it', async () => {
  const roomId = await alice.createRoom();
  const eventId = await alice.send(roomId, 'here');
  const path = `/events/${encodeURIComponent(eventId)}`;
  expect(await alice.get(path)).toMatchObject({ event_id: eventId, room_id: roomId, content: { body: 'here' } });
  expect(await bob.request('GET', path)).toMatchObject(NOT_FOUND);
  expect(await alice.request('GET', '/events/$nothing')).toMatchObject(NOT_FOUND);
});

test('a room is read whole by members and by those who may look into it, and by nobody else', async () => {
  const roomId = await alice.createRoom({ name: 'Glass' });
  await alice.send(roomId, 'inside');
  const path = roomPath(roomId, 'initialSync');
  expect(await alice.get(path)).toMatchObject({ room_id: roomId, membership: 'join', visibility: 'private' });
  expect(await bob.request('GET', path)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
  await alice.send(roomId, 'for all');
  const peeked = z
    .looseObject({
      membership: z.string().optional(),
      messages: z.looseObject({ chunk: z.array(z.looseObject({ content: z.looseObject({}) })) }),
      state: z.array(z.looseObject({ type: z.string() })),
    })
    .parse(await bob.get(path));
  expect(peeked.membership).toBeUndefined();
  expect(peeked.messages.chunk.at(-1)?.content).toMatchObject({ body: 'for all' });
  expect(peeked.state.map((event) => event.type)).toContain('m.room.name');
});

test('events, rooms and users are reported, and what is not there is not found', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const eventId = await alice.send(roomId, 'bad');
  const eventPath = roomPath(roomId, `report/${encodeURIComponent(eventId)}`);
  expect(await bob.request('POST', eventPath, { reason: 'spam' })).toMatchObject(NOT_FOUND);
  await bob.join(roomId);
  expect(await bob.request('POST', eventPath, { reason: 'spam', score: -100 })).toMatchObject({
    status: 200,
    body: {},
  });
  expect((await bob.request('POST', eventPath, {})).status).toBe(200);
  expect(await bob.request('POST', roomPath(roomId, 'report/$nothing'), {})).toMatchObject(NOT_FOUND);
  expect((await bob.request('POST', roomPath(roomId, 'report'), { reason: '' })).status).toBe(200);
  expect(await bob.request('POST', roomPath('!nowhere:test.example', 'report'), { reason: '' })).toMatchObject(
    NOT_FOUND,
  );
  expect((await bob.request('POST', `/users/${alice.userId}/report`, { reason: 'rude' })).status).toBe(200);
  expect(await bob.request('POST', '/users/@nobody:test.example/report', { reason: 'x' })).toMatchObject(NOT_FOUND);
  expect(await bob.request('POST', `/users/${alice.userId}/report`, {})).toMatchObject({
    status: 400,
    body: { errcode: 'M_MISSING_PARAM' },
  });
});
