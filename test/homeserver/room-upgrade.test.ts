import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type Answer, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const upgrade = (client: RoomClient, roomId: string, body: object) => client.act('upgrade', roomId, body);
const replacementOf = (answer: Answer) =>
  z.looseObject({ replacement_room: z.string() }).parse(answer.body).replacement_room;
const contentOf = async (client: RoomClient, roomId: string, type: string, key = '') =>
  (await client.getState(roomId, type, key)).body;

test.for([
  ['10', '11'],
  ['11', '12'],
  ['12', '12'],
  ['12', '11'],
])('an upgrade from version %s to %s hands the state on and ends the old room', async ([from, to]) => {
  const roomId = await alice.createRoom({
    room_version: from,
    preset: 'public_chat',
    name: 'Old and new',
    topic: 'Both',
    creation_content: { type: 'org.example.kind' },
    initial_state: [
      { type: 'm.room.server_acl', content: { allow: ['*'] } },
      { type: 'm.room.encryption', content: { algorithm: 'm.megolm.v1.aes-sha2' } },
      { type: 'm.room.history_visibility', content: { history_visibility: 'joined' } },
      { type: 'org.example.own', content: { stays: true } },
    ],
  });
  await bob.join(roomId);
  const answer = await upgrade(alice, roomId, { new_version: to });
  expect(answer.status).toBe(200);
  const next = replacementOf(answer);
  expect(await contentOf(alice, next, 'm.room.create')).toMatchObject({
    room_version: to,
    type: 'org.example.kind',
    predecessor: { room_id: roomId },
  });
  for (const type of [
    'name',
    'topic',
    'server_acl',
    'encryption',
    'history_visibility',
    'join_rules',
    'guest_access',
  ]) {
    expect(await contentOf(alice, next, `m.room.${type}`)).toEqual(await contentOf(alice, roomId, `m.room.${type}`));
  }
  expect((await alice.getState(next, 'org.example.own')).status).toBe(404);
  expect(await contentOf(alice, roomId, 'm.room.tombstone')).toMatchObject({ replacement_room: next });
  expect(await bob.trySend(roomId, { msgtype: 'm.text', body: 'still here?' })).toMatchObject({ status: 403 });
  expect(await alice.membershipOf(next, bob.userId)).toBeUndefined();
  expect((await bob.join(next)).status).toBe(200);
});

test('aliases and the place in the directory move to the new room', async () => {
  const roomId = await alice.createRoom({ visibility: 'public', room_alias_name: 'moving' });
  const next = replacementOf(await upgrade(alice, roomId, { new_version: '12' }));
  const alias = await alice.get('/directory/room/%23moving:test.example');
  expect(alias).toMatchObject({ room_id: next });
  expect(await contentOf(alice, next, 'm.room.canonical_alias')).toEqual({ alias: '#moving:test.example' });
  expect(await contentOf(alice, roomId, 'm.room.canonical_alias')).toEqual({});
  const visibility = (id: string) => alice.get(`/directory/list/room/${encodeURIComponent(id)}`);
  expect(await visibility(roomId)).toEqual({ visibility: 'private' });
  expect(await visibility(next)).toEqual({ visibility: 'public' });
});

test('who is banned stays banned', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await alice.act('ban', roomId, { user_id: bob.userId, reason: 'enough' });
  const next = replacementOf(await upgrade(alice, roomId, { new_version: '11' }));
  expect(await contentOf(alice, next, 'm.room.member', bob.userId)).toMatchObject({
    membership: 'ban',
    reason: 'enough',
  });
});

test('a space keeps its children, without those taken away', async () => {
  const space = await alice.createRoom({ creation_content: { type: 'm.space' } });
  await alice.setState(space, 'm.space.child', { via: ['test.example'] }, '!kept:test.example');
  await alice.setState(space, 'm.space.child', {}, '!gone:test.example');
  const next = replacementOf(await upgrade(alice, space, { new_version: '12' }));
  expect(await contentOf(alice, next, 'm.space.child', '!kept:test.example')).toEqual({ via: ['test.example'] });
  expect((await alice.getState(next, 'm.space.child', '!gone:test.example')).status).toBe(404);
});

test('a moderator who may upgrade has no more power in the new room than before', async () => {
  const roomId = await alice.createRoom({ room_version: '10', preset: 'public_chat' });
  await bob.join(roomId);
  const levels = z.looseObject({}).parse(await contentOf(alice, roomId, 'm.room.power_levels'));
  const users = { [alice.userId]: 100, [bob.userId]: 60 };
  await alice.setState(roomId, 'm.room.power_levels', { ...levels, users, events: { 'm.room.tombstone': 60 } });
  const next = replacementOf(await upgrade(bob, roomId, { new_version: '11' }));
  expect(await contentOf(bob, next, 'm.room.power_levels')).toMatchObject({ users });
  // The old room is ended, but only who may change its power levels closes it for talk.
  expect((await alice.trySend(roomId, { msgtype: 'm.text', body: 'the end' })).status).toBe(200);
});

test('from version 12 on creators are not listed, and the further ones that are named are creators', async () => {
  const roomId = await alice.createRoom({ room_version: '11' });
  const body = { new_version: '12', additional_creators: [bob.userId] };
  const next = replacementOf(await upgrade(alice, roomId, body));
  expect(await contentOf(alice, next, 'm.room.create')).toMatchObject({ additional_creators: [bob.userId] });
  const levels = z
    .looseObject({ users: z.record(z.string(), z.number()), events: z.record(z.string(), z.number()) })
    .parse(await contentOf(alice, next, 'm.room.power_levels'));
  expect(levels.users).toEqual({});
  expect(levels.events['m.room.tombstone']).toBe(150);
});

test('a version without further creators does not look at those that are named', async () => {
  const roomId = await alice.createRoom({ room_version: '10' });
  const answer = await upgrade(alice, roomId, { new_version: '11', additional_creators: ['bob', bob.userId] });
  const create = await contentOf(alice, replacementOf(answer), 'm.room.create');
  expect(create).not.toHaveProperty('additional_creators');
});

test('in version 12 ending the room takes more power than other state, whatever that took before', async () => {
  const roomId = await alice.createRoom({
    room_version: '12',
    power_level_content_override: { state_default: 300, events: { 'm.room.tombstone': 10 } },
  });
  const next = replacementOf(await upgrade(alice, roomId, { new_version: '12' }));
  expect(await contentOf(alice, next, 'm.room.power_levels')).toMatchObject({
    state_default: 300,
    events: { 'm.room.tombstone': 301 },
  });
});

test('levels that are texts in an old version are numbers in a new one', async () => {
  const roomId = await alice.createRoom({ room_version: '9', preset: 'public_chat' });
  const levels = z.looseObject({}).parse(await contentOf(alice, roomId, 'm.room.power_levels'));
  const users = { [alice.userId]: '100', [bob.userId]: '50' };
  expect((await alice.setState(roomId, 'm.room.power_levels', { ...levels, users, ban: ' 60 ' })).status).toBe(200);
  const next = replacementOf(await upgrade(alice, roomId, { new_version: '11' }));
  expect(await contentOf(alice, next, 'm.room.power_levels')).toMatchObject({
    ban: 60,
    users: { [alice.userId]: 100, [bob.userId]: 50 },
  });
});

test('an upgrade asked for twice makes one room', async () => {
  const roomId = await alice.createRoom();
  const first = replacementOf(await upgrade(alice, roomId, { new_version: '11' }));
  expect(replacementOf(await upgrade(alice, roomId, { new_version: '11' }))).toBe(first);
});

test('two upgrades at once end in one replacement', async () => {
  const roomId = await alice.createRoom();
  const ask = (replica: number) => upgrade(alice.at(replica), roomId, { new_version: '12' });
  const [first, second] = await Promise.all([ask(0), ask(1)]);
  expect(replacementOf(first)).toBe(replacementOf(second));
  expect(await contentOf(alice, roomId, 'm.room.tombstone')).toMatchObject({ replacement_room: replacementOf(first) });
});

const refused = [
  {
    name: 'to a version that is not there',
    body: { new_version: '99' },
    errcode: 'M_UNSUPPORTED_ROOM_VERSION',
    status: 400,
  },
  { name: 'without a version', body: {}, errcode: 'M_MISSING_PARAM', status: 400 },
  {
    name: 'with a creator who is none',
    body: { new_version: '12', additional_creators: ['bob'] },
    errcode: 'M_INVALID_PARAM',
    status: 400,
  },
];
test.for(refused)('an upgrade $name is refused', async ({ body, errcode, status }) => {
  const roomId = await alice.createRoom();
  expect(await upgrade(alice, roomId, body)).toMatchObject({ status, body: { errcode } });
  expect((await alice.getState(roomId, 'm.room.tombstone')).status).toBe(404);
});

test('who lacks the power, is not in the room, or names none may not upgrade', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const forbidden = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
  expect(await upgrade(bob, roomId, { new_version: '11' })).toMatchObject(forbidden);
  await bob.join(roomId);
  expect(await upgrade(bob, roomId, { new_version: '11' })).toMatchObject(forbidden);
  expect(await upgrade(bob, '!nowhere:test.example', { new_version: '11' })).toMatchObject(forbidden);
});
