import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient, type StateEvent } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  alice = await newClient(server, 'alice');
  bob = await newClient(server, 'bob');
});
afterAll(() => server.stop());

const contentOf = (state: StateEvent[], type: string, stateKey = '') =>
  state.find((event) => event.type === type && event.state_key === stateKey)?.content;

const presets = [
  { preset: 'private_chat', join_rule: 'invite', guest_access: 'can_join' },
  { preset: 'trusted_private_chat', join_rule: 'invite', guest_access: 'can_join' },
  { preset: 'public_chat', join_rule: 'public', guest_access: 'forbidden' },
];

test.for(presets)('the preset $preset sets its join rule, visibility and guest access', async (row) => {
  const roomId = await alice.createRoom({ preset: row.preset });
  const state = await alice.state(roomId);
  expect(contentOf(state, 'm.room.join_rules')).toEqual({ join_rule: row.join_rule });
  expect(contentOf(state, 'm.room.history_visibility')).toEqual({ history_visibility: 'shared' });
  expect(contentOf(state, 'm.room.guest_access')).toEqual({ guest_access: row.guest_access });
});

test.for(['1', '3', '6', '9', '10', '11', '12'])('a room of version %s has its creator in charge', async (version) => {
  const roomId = await alice.createRoom({ room_version: version, name: 'named', topic: 'about' });
  const state = await alice.state(roomId);
  expect(contentOf(state, 'm.room.create')).toMatchObject({ room_version: version });
  expect(contentOf(state, 'm.room.member', alice.userId)).toMatchObject({ membership: 'join' });
  expect(contentOf(state, 'm.room.name')).toEqual({ name: 'named' });
  expect(contentOf(state, 'm.room.topic')).toMatchObject({ topic: 'about' });
  const create = state.find((event) => event.type === 'm.room.create');
  const users = contentOf(state, 'm.room.power_levels')?.['users'];
  if (version === '12') {
    expect(roomId).toBe(`!${create?.event_id.slice(1)}`);
    expect(users).toEqual({});
  } else {
    expect(roomId).toMatch(/^![^:]+:test\.example$/);
    expect(users).toEqual({ [alice.userId]: 100 });
  }
  expect(create?.content['creator']).toBe(Number(version) <= 10 ? alice.userId : undefined);
});

test.for(['11', '12'])(
  'in a trusted private chat of version %s invitees have the power of the creator',
  async (version) => {
    const roomId = await alice.createRoom({
      room_version: version,
      preset: 'trusted_private_chat',
      invite: [bob.userId],
    });
    const state = await alice.state(roomId);
    if (version === '12') expect(contentOf(state, 'm.room.create')?.['additional_creators']).toEqual([bob.userId]);
    else expect(contentOf(state, 'm.room.power_levels')?.['users']).toEqual({ [alice.userId]: 100, [bob.userId]: 100 });
    expect((await bob.join(roomId)).status).toBe(200);
    expect((await bob.setState(roomId, 'm.room.name', { name: 'mine too' })).status).toBe(200);
  },
);

test('everything that a client may ask of a new room is there', async () => {
  const roomId = await alice.createRoom({
    room_version: '11',
    preset: 'public_chat',
    room_alias_name: 'thepub',
    name: 'The Grand Duke Pub',
    creation_content: { 'm.federate': false, type: 'm.space', creator: '@mallory:test.example', room_version: '1' },
    power_level_content_override: { events_default: 10 },
    initial_state: [
      { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
      { type: 'org.example.thing', state_key: 'key', content: { of: 'value' } },
    ],
    invite: [bob.userId],
    is_direct: true,
  });
  const state = await alice.state(roomId);
  expect(contentOf(state, 'm.room.create')).toEqual({ 'm.federate': false, type: 'm.space', room_version: '11' });
  expect(contentOf(state, 'm.room.canonical_alias')).toEqual({ alias: '#thepub:test.example' });
  expect(contentOf(state, 'm.room.power_levels')).toMatchObject({ events_default: 10, users: { [alice.userId]: 100 } });
  expect(contentOf(state, 'm.room.history_visibility')).toEqual({ history_visibility: 'world_readable' });
  expect(contentOf(state, 'org.example.thing', 'key')).toEqual({ of: 'value' });
  expect(contentOf(state, 'm.room.member', bob.userId)).toMatchObject({ membership: 'invite', is_direct: true });
  expect((await bob.join('#thepub:test.example')).body).toEqual({ room_id: roomId });
});

test('further creators are those that are named and, in a trusted private chat, those invited, each once', async () => {
  const creators = async (body: object) => contentOf(await alice.state(await alice.createRoom(body)), 'm.room.create');
  const creation_content = { additional_creators: ['@carol:test.example', bob.userId] };
  const invite = [bob.userId, bob.userId];
  expect(await creators({ room_version: '12', creation_content, invite })).toMatchObject(creation_content);
  const trusted = { room_version: '12', preset: 'trusted_private_chat', creation_content, invite };
  expect(await creators(trusted)).toMatchObject(creation_content);
  // Before, the name means nothing, whatever is under it.
  const odd = { additional_creators: 'anybody' };
  expect(await creators({ room_version: '11', creation_content: odd })).toMatchObject(odd);
});

test('without a preset the visibility decides', async () => {
  const rule = async (body: object) => contentOf(await alice.state(await alice.createRoom(body)), 'm.room.join_rules');
  expect(await rule({ visibility: 'public' })).toEqual({ join_rule: 'public' });
  expect(await rule({ visibility: 'private' })).toEqual({ join_rule: 'invite' });
  expect(await rule({})).toEqual({ join_rule: 'invite' });
  expect(await rule({ visibility: 'public', preset: 'private_chat' })).toEqual({ join_rule: 'invite' });
});

test('an alias leads to one room only, and a room that was refused leaves its alias free', async () => {
  const roomId = await alice.createRoom({ room_alias_name: 'taken' });
  const found = await server.request(
    'GET',
    `/_matrix/client/v3/directory/room/${encodeURIComponent('#taken:test.example')}`,
  );
  expect(found).toMatchObject({ status: 200, body: { room_id: roomId, servers: ['test.example'] } });
  const again = await bob.tryCreate({ room_alias_name: 'taken' });
  expect(again).toMatchObject({ status: 400, body: { errcode: 'M_ROOM_IN_USE' } });
  const impossible = { users: { [alice.userId]: 'much' } };
  const refused = await alice.tryCreate({ room_alias_name: 'free', power_level_content_override: impossible });
  expect(refused).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_ROOM_STATE' } });
  expect(await alice.createRoom({ room_alias_name: 'free' })).toMatch(/^!/);
});

const refusals = [
  { name: 'an unknown room version', body: { room_version: '99' }, errcode: 'M_UNSUPPORTED_ROOM_VERSION' },
  { name: 'an unknown preset', body: { preset: 'loud_chat' }, errcode: 'M_INVALID_PARAM' },
  { name: 'an alias with a colon', body: { room_alias_name: 'a:b' }, errcode: 'M_INVALID_PARAM' },
  { name: 'a third-party invite', body: { invite_3pid: [{}] }, errcode: 'M_INVALID_PARAM' },
  { name: 'an invite of nobody', body: { invite: ['nobody'] }, errcode: 'M_INVALID_PARAM' },
  { name: 'an invite to another server', body: { invite: ['@a:other.example'] }, errcode: 'M_FORBIDDEN' },
  {
    name: 'initial state that the power levels forbid',
    body: {
      power_level_content_override: { users: {}, events: { 'm.room.name': 101 } },
      name: 'x',
      room_version: '11',
    },
    errcode: 'M_INVALID_ROOM_STATE',
  },
  {
    name: 'a creator among the users of power levels in version 12',
    body: { power_level_content_override: { users: { '@alice:test.example': 100 } }, room_version: '12' },
    errcode: 'M_INVALID_ROOM_STATE',
  },
  ...['bob', ['bob'], [5], ['@bob']].map((additional_creators) => ({
    name: `${JSON.stringify(additional_creators)} as further creators in version 12`,
    body: { creation_content: { additional_creators }, room_version: '12' },
    errcode: 'M_INVALID_ROOM_STATE',
  })),
  {
    name: 'a second create event',
    body: { initial_state: [{ type: 'm.room.create', content: {} }] },
    errcode: 'M_INVALID_ROOM_STATE',
  },
  { name: 'an invite of who makes it', body: { invite: ['@alice:test.example'] }, errcode: 'M_INVALID_ROOM_STATE' },
  { name: 'a version that is no text', body: { room_version: 11 }, errcode: 'M_BAD_JSON' },
  {
    name: 'a member event that invites to another server',
    body: {
      initial_state: [{ type: 'm.room.member', state_key: '@a:other.example', content: { membership: 'invite' } }],
    },
    errcode: 'M_FORBIDDEN',
  },
  { name: 'a fraction in content', body: { creation_content: { half: 0.5 } }, errcode: 'M_BAD_JSON' },
];

test.for(refusals)('a room is refused for $name', async ({ body, errcode }) => {
  expect((await alice.tryCreate(body)).body).toMatchObject({ errcode });
});

test('a room whose invites do not fit into one batch has them all', async () => {
  const invite = Array.from({ length: 60 }, (_, i) => `@guest${i}:test.example`);
  const initial_state = Array.from({ length: 240 }, (_, i) => ({
    type: 'org.example.many',
    state_key: `k${i}`,
    content: {},
  }));
  const roomId = await alice.createRoom({ invite, initial_state });
  const state = await alice.state(roomId);
  expect(state.filter((event) => event.type === 'org.example.many')).toHaveLength(240);
  expect(state.filter((event) => event.content['membership'] === 'invite')).toHaveLength(60);
});

test('rooms that a user makes alike at the same moment are different rooms', async () => {
  const roomIds = await Promise.all(Array.from({ length: 20 }, () => alice.createRoom({ room_version: '12' })));
  expect(new Set(roomIds).size).toBe(20);
});
