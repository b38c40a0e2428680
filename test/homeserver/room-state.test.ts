import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const FORBIDDEN = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
const INVALID = { status: 400, body: { errcode: 'M_INVALID_PARAM' } };

test('state is set and read by type and key, as content or as an event', async () => {
  const roomId = await alice.createRoom();
  const eventId = eventIdOf(await alice.setState(roomId, 'org.example.thing', { a: 1 }, 'key/with?signs'));
  expect((await alice.getState(roomId, 'org.example.thing', 'key/with?signs')).body).toEqual({ a: 1 });
  const path = `/rooms/${roomId}/state/org.example.thing/${encodeURIComponent('key/with?signs')}?format=event`;
  const event = (await alice.request('GET', path)).body;
  expect(event).toMatchObject({ event_id: eventId, type: 'org.example.thing', sender: alice.userId, room_id: roomId });
  expect(event).not.toHaveProperty('auth_events');
  expect(await alice.getState(roomId, 'org.example.thing', 'other')).toMatchObject({ status: 404 });
  expect(await alice.getState(roomId, 'org.example.nothing')).toMatchObject({
    status: 404,
    body: { errcode: 'M_NOT_FOUND' },
  });
});

test('the empty state key may be left out of the path', async () => {
  const roomId = await alice.createRoom();
  const path = `/rooms/${roomId}/state/m.room.name`;
  expect((await alice.request('PUT', path, { name: 'short' })).status).toBe(200);
  expect((await alice.request('GET', path)).body).toEqual({ name: 'short' });
  expect((await alice.request('GET', `${path}/`)).body).toEqual({ name: 'short' });
});

test('setting the same state again gives the same event', async () => {
  const roomId = await alice.createRoom();
  const first = eventIdOf(await alice.setState(roomId, 'm.room.name', { name: 'one', more: { b: 1, a: 2 } }));
  expect(eventIdOf(await alice.setState(roomId, 'm.room.name', { more: { a: 2, b: 1 }, name: 'one' }))).toBe(first);
  expect(eventIdOf(await alice.setState(roomId, 'm.room.name', { name: 'two' }))).not.toBe(first);
});

test('state that was redacted can be set again with the same content', async () => {
  const roomId = await alice.createRoom();
  const first = eventIdOf(await alice.setState(roomId, 'm.room.topic', { topic: 'again' }));
  expect((await alice.redact(roomId, first)).status).toBe(200);
  expect((await alice.getState(roomId, 'm.room.topic')).body).toEqual({});
  expect(eventIdOf(await alice.setState(roomId, 'm.room.topic', { topic: 'again' }))).not.toBe(first);
  expect((await alice.getState(roomId, 'm.room.topic')).body).toEqual({ topic: 'again' });
});

test('who is not inside learns nothing from a create event, and who is that a room has one', async () => {
  const roomId = await alice.createRoom();
  expect(await bob.setState(roomId, 'm.room.create', { room_version: '1' })).toMatchObject(FORBIDDEN);
  expect(await bob.setState('!nowhere:test.example', 'm.room.create', {})).toMatchObject(FORBIDDEN);
  expect(await alice.setState(roomId, 'm.room.create', { room_version: '1' })).toMatchObject(INVALID);
});

test('power levels that name a creator whose power is fixed are wrong, not forbidden', async () => {
  const roomId = await alice.createRoom({ room_version: '12' });
  expect(await alice.setState(roomId, 'm.room.power_levels', { users: { [alice.userId]: 100 } })).toMatchObject(
    INVALID,
  );
});

test('only members with the power change state, and nobody writes under the name of another', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  expect(await bob.setState(roomId, 'm.room.name', { name: 'mine' })).toMatchObject(FORBIDDEN);
  await bob.join(roomId);
  expect(await bob.setState(roomId, 'm.room.name', { name: 'mine' })).toMatchObject(FORBIDDEN);
  expect(await alice.setState(roomId, 'm.room.create', {})).toMatchObject(INVALID);
  const levels = (await alice.getState(roomId, 'm.room.power_levels')).body as object;
  expect((await alice.setState(roomId, 'm.room.power_levels', { ...levels, users: { [bob.userId]: 50 } })).status).toBe(
    200,
  );
  expect((await bob.setState(roomId, 'm.room.name', { name: 'mine' })).status).toBe(200);
  expect(await bob.setState(roomId, 'org.example.thing', {}, alice.userId)).toMatchObject(FORBIDDEN);
});

test('state is closed to strangers, and to those who were only ever invited', async () => {
  const roomId = await alice.createRoom({ invite: [bob.userId] });
  expect(await bob.getState(roomId, 'm.room.create')).toMatchObject(FORBIDDEN);
  await bob.act('leave', roomId);
  expect(await bob.getState(roomId, 'm.room.create')).toMatchObject(FORBIDDEN);
  expect(await bob.request('GET', `/rooms/${roomId}/state`)).toMatchObject(FORBIDDEN);
  expect(await bob.getState('!nowhere:test.example', 'm.room.create')).toMatchObject(FORBIDDEN);
});

test('those who left read the state of their leaving, also after a later invite was turned down', async () => {
  const roomId = await alice.createRoom({ preset: 'private_chat', name: 'before', invite: [bob.userId] });
  await bob.join(roomId);
  await bob.act('leave', roomId);
  await alice.setState(roomId, 'm.room.name', { name: 'after' });
  expect((await bob.getState(roomId, 'm.room.name')).body).toEqual({ name: 'before' });
  expect(await bob.membershipOf(roomId, bob.userId)).toBe('leave');
  await alice.act('invite', roomId, { user_id: bob.userId });
  await bob.act('leave', roomId);
  expect((await bob.getState(roomId, 'm.room.name')).body).toEqual({ name: 'before' });
});

test('a room that the world may read shows its state to all users', async () => {
  const visibility = { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } };
  const roomId = await alice.createRoom({ name: 'open', initial_state: [visibility] });
  expect((await bob.getState(roomId, 'm.room.name')).body).toEqual({ name: 'open' });
});

test('a canonical alias must be an alias of this room', async () => {
  const roomId = await alice.createRoom({ room_alias_name: 'here' });
  await alice.createRoom({ room_alias_name: 'there' });
  const set = (content: object) => alice.setState(roomId, 'm.room.canonical_alias', content);
  expect((await set({ alias: '#here:test.example', alt_aliases: ['#here:test.example'] })).status).toBe(200);
  expect(await set({ alias: '#there:test.example' })).toMatchObject({ status: 400, body: { errcode: 'M_BAD_ALIAS' } });
  const noList = { status: 400, body: { errcode: 'M_INVALID_PARAM' } };
  expect(await set({ alt_aliases: '#here:test.example' })).toMatchObject(noList);
  expect(await set({ alias: 'nonsense' })).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
  expect((await set({})).status).toBe(200);
});

const badContents = [
  { name: 'a fraction', body: { n: 1.5 }, errcode: 'M_BAD_JSON' },
  { name: 'a number beyond 2^53', body: { n: 2 ** 60 }, errcode: 'M_BAD_JSON' },
  { name: 'more than 65,536 bytes', body: { text: 'x'.repeat(65_536) }, errcode: 'M_TOO_LARGE' },
  { name: 'a list', body: [], errcode: 'M_BAD_JSON' },
];

test.for(badContents)('state and messages with $name are refused', async ({ body, errcode }) => {
  const roomId = await alice.createRoom();
  expect((await alice.setState(roomId, 'org.example.thing', body)).body).toMatchObject({ errcode });
  expect((await alice.trySend(roomId, body)).body).toMatchObject({ errcode });
});

test('a type or state key of more than 255 bytes is refused', async () => {
  const roomId = await alice.createRoom();
  const long = 'é'.repeat(128);
  expect((await alice.setState(roomId, long, {})).body).toMatchObject({ errcode: 'M_TOO_LARGE' });
  expect((await alice.setState(roomId, 'org.example.thing', {}, long)).body).toMatchObject({ errcode: 'M_TOO_LARGE' });
});
