import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let carol: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4, wakeUps: 'lost' });
  [alice, bob, carol] = await Promise.all([
    newClient(server, 'alice'),
    newClient(server, 'bob'),
    newClient(server, 'carol'),
  ]);
});
afterAll(() => server.stop());

const FORBIDDEN = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
const about = (client: RoomClient, reason?: string) => ({ user_id: client.userId, ...(reason && { reason }) });

test('an invited user joins, leaves, and needs another invite', async () => {
  const roomId = await alice.createRoom({ preset: 'private_chat' });
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
  expect((await alice.act('invite', roomId, about(bob, 'welcome'))).status).toBe(200);
  expect((await alice.act('invite', roomId, about(bob))).status).toBe(200);
  expect((await bob.join(roomId)).body).toEqual({ room_id: roomId });
  expect(await alice.act('invite', roomId, about(bob))).toMatchObject(FORBIDDEN);
  expect((await bob.act('leave', roomId, { reason: 'enough' })).status).toBe(200);
  expect((await alice.getState(roomId, 'm.room.member', bob.userId)).body).toEqual({
    membership: 'leave',
    reason: 'enough',
  });
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
});

test('what a join carries beyond the specification goes into the member event, not what the server decides', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const granted = { join_authorised_via_users_server: alice.userId, membership: 'ban', displayname: 'Eve' };
  expect((await bob.join(roomId, { 'com.example.from': 'a link', reason: 'why not', ...granted })).status).toBe(200);
  expect((await alice.getState(roomId, 'm.room.member', bob.userId)).body).toEqual({
    membership: 'join',
    reason: 'why not',
    'com.example.from': 'a link',
  });
  await carol.act('join', roomId, { 'com.example.from': 'an id' });
  expect((await alice.getState(roomId, 'm.room.member', carol.userId)).body).toMatchObject({
    'com.example.from': 'an id',
  });
});

test('an invite by e-mail address is refused with the reason', async () => {
  const roomId = await alice.createRoom();
  const invite = { medium: 'email', address: 'bob@example.org', id_server: 'id.example', id_access_token: 'x' };
  const answer = await alice.act('invite', roomId, invite);
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } });
  expect(JSON.stringify(answer.body)).toContain('by user id only');
});

test('joining and leaving twice makes no second event', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const memberOf = async () => (await alice.state(roomId)).find((event) => event.state_key === bob.userId)?.event_id;
  const joined = await memberOf();
  expect((await bob.join(roomId)).status).toBe(200);
  expect(await memberOf()).toBe(joined);
  await bob.act('leave', roomId);
  const left = await memberOf();
  expect((await bob.act('leave', roomId)).status).toBe(200);
  expect(await memberOf()).toBe(left);
});

test('a member event carries the display name and avatar of the profile', async () => {
  await carol.request('PUT', `/profile/${carol.userId}/displayname`, { displayname: 'Carol C.' });
  await carol.request('PUT', `/profile/${carol.userId}/avatar_url`, { avatar_url: 'mxc://test.example/carol' });
  const profile = { displayname: 'Carol C.', avatar_url: 'mxc://test.example/carol' };
  const roomId = await alice.createRoom({ invite: [carol.userId] });
  expect((await alice.getState(roomId, 'm.room.member', carol.userId)).body).toEqual({
    membership: 'invite',
    ...profile,
  });
  await carol.join(roomId, { reason: 'hello' });
  const joined = { membership: 'join', reason: 'hello', ...profile };
  expect((await alice.getState(roomId, 'm.room.member', carol.userId)).body).toEqual(joined);
});

test('kick, ban and unban need power and a fitting membership', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await Promise.all([bob.join(roomId), carol.join(roomId)]);
  expect(await bob.act('kick', roomId, about(carol))).toMatchObject(FORBIDDEN);
  expect(await bob.act('ban', roomId, about(alice))).toMatchObject(FORBIDDEN);
  expect((await alice.act('kick', roomId, about(carol, 'no'))).status).toBe(200);
  expect(await alice.act('kick', roomId, about(carol))).toMatchObject(FORBIDDEN);
  expect(await alice.act('unban', roomId, about(carol))).toMatchObject(FORBIDDEN);
  expect((await carol.join(roomId)).status).toBe(200);
  expect((await alice.act('ban', roomId, about(carol, 'no'))).status).toBe(200);
  expect((await alice.act('ban', roomId, about(carol))).status).toBe(200);
  expect(await alice.act('kick', roomId, about(carol))).toMatchObject(FORBIDDEN);
  expect(await carol.join(roomId)).toMatchObject(FORBIDDEN);
  expect(await carol.act('leave', roomId)).toMatchObject(FORBIDDEN);
  expect(await alice.act('invite', roomId, about(carol))).toMatchObject(FORBIDDEN);
  expect((await alice.act('unban', roomId, about(carol))).status).toBe(200);
  expect(await alice.membershipOf(roomId, carol.userId)).toBe('leave');
  expect((await carol.join(roomId)).status).toBe(200);
});

test('an invite can be rejected, and taken back by a kick', async () => {
  const roomId = await alice.createRoom({ invite: [bob.userId, carol.userId] });
  expect((await bob.act('leave', roomId)).status).toBe(200);
  expect(await alice.membershipOf(roomId, bob.userId)).toBe('leave');
  expect((await alice.act('kick', roomId, about(carol))).status).toBe(200);
  expect(await carol.join(roomId)).toMatchObject(FORBIDDEN);
});

test('a restricted room lets in members of the room that it names, by the word of somebody who may invite', async () => {
  const space = await alice.createRoom({ preset: 'public_chat' });
  const allow = [{ type: 'm.room_membership', room_id: space }];
  const joinRules = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
  const roomId = await alice.createRoom({
    preset: 'private_chat',
    initial_state: [joinRules],
    power_level_content_override: { invite: 50 },
  });
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
  await bob.join(space);
  expect((await bob.join(roomId)).status).toBe(200);
  const member = await alice.getState(roomId, 'm.room.member', bob.userId);
  expect(member.body).toEqual({ membership: 'join', join_authorised_via_users_server: alice.userId });
  await alice.act('leave', roomId);
  await carol.join(space);
  expect(await carol.join(roomId)).toMatchObject(FORBIDDEN);
});

const rulesFor = (content: object) => ({ initial_state: [{ type: 'm.room.join_rules', content }] });
const memberOf = (room_id: string) => ({ type: 'm.room_membership', room_id });

const unmet = [
  { name: 'no conditions', allow: () => undefined },
  { name: 'conditions that are no list', allow: (space: string) => memberOf(space) },
  { name: 'a condition of another kind', allow: (space: string) => [{ ...memberOf(space), type: 'org.example.paid' }] },
  { name: 'a condition without a room', allow: () => [{ type: 'm.room_membership' }] },
  { name: 'a room that is not known here', allow: () => [memberOf('!nowhere:other.example')] },
];

test.for(unmet)('a restricted room with $name takes an invite', async ({ allow }) => {
  const space = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(space);
  const roomId = await alice.createRoom(rulesFor({ join_rule: 'restricted', allow: allow(space) }));
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
  await alice.act('invite', roomId, about(bob));
  expect((await bob.join(roomId)).status).toBe(200);
  // The invite alone has let them in: nobody stands for it.
  expect((await alice.getState(roomId, 'm.room.member', bob.userId)).body).toEqual({ membership: 'join' });
});

test('of several conditions one is enough, an invite to the named room is none, and a ban stands above all', async () => {
  const spaces = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom({ preset: 'public_chat' })];
  const allow = [{ type: 'org.example.paid' }, ...spaces.map(memberOf)];
  const roomId = await alice.createRoom(rulesFor({ join_rule: 'restricted', allow }));
  const [, second = ''] = spaces;
  await alice.act('invite', second, about(bob));
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
  await bob.join(second);
  expect((await bob.join(roomId)).status).toBe(200);
  await bob.act('leave', second);
  expect((await bob.trySend(roomId, { msgtype: 'm.text', body: 'still inside' })).status).toBe(200);
  await bob.join(second);
  await alice.act('ban', roomId, about(bob));
  expect(await bob.join(roomId)).toMatchObject(FORBIDDEN);
});

test('who stands for a join has the power to invite and is inside; where all have it anybody does', async () => {
  const space = await alice.createRoom({ preset: 'public_chat' });
  await Promise.all([bob.join(space), carol.join(space)]);
  const rules = rulesFor({ join_rule: 'restricted', allow: [memberOf(space)] });
  const levels = { invite: 0, users: { [alice.userId]: 100 } };
  const roomId = await alice.createRoom({ ...rules, room_version: '11', power_level_content_override: levels });
  await bob.join(roomId);
  await alice.act('leave', roomId);
  expect((await carol.join(roomId)).status).toBe(200);
  expect((await bob.getState(roomId, 'm.room.member', carol.userId)).body).toMatchObject({
    membership: 'join',
    join_authorised_via_users_server: bob.userId,
  });
});

test.for([
  { version: '9', rule: 'knock_restricted', knocks: 403, joins: 403 },
  { version: '10', rule: 'knock_restricted', knocks: 200, joins: 200 },
  { version: '7', rule: 'restricted', knocks: 403, joins: 403 },
  { version: '8', rule: 'restricted', knocks: 403, joins: 200 },
  { version: '6', rule: 'knock', knocks: 403, joins: 403 },
  { version: '7', rule: 'knock', knocks: 200, joins: 403 },
])(
  'in version $version the rule $rule answers a knock with $knocks and a join with $joins',
  async ({ version, rule, knocks, joins }) => {
    const space = await alice.createRoom({ preset: 'public_chat' });
    await bob.join(space);
    const rules = rulesFor({ join_rule: rule, allow: [memberOf(space)] });
    const roomId = await alice.createRoom({ ...rules, room_version: version });
    expect((await bob.request('POST', `/knock/${encodeURIComponent(roomId)}`)).status).toBe(knocks);
    expect((await bob.join(roomId)).status).toBe(joins);
  },
);

test('who is inside, invited or banned cannot knock', async () => {
  const roomId = await alice.createRoom(rulesFor({ join_rule: 'knock' }));
  const knock = () => bob.request('POST', `/knock/${encodeURIComponent(roomId)}`, {});
  expect(await alice.request('POST', `/knock/${encodeURIComponent(roomId)}`, {})).toMatchObject(FORBIDDEN);
  await alice.act('invite', roomId, about(bob));
  expect(await knock()).toMatchObject(FORBIDDEN);
  await alice.act('ban', roomId, about(bob));
  expect(await knock()).toMatchObject(FORBIDDEN);
  await alice.act('unban', roomId, about(bob));
  expect((await knock()).status).toBe(200);
  // Refusing a knock is kicking, which takes the power to.
  expect(await carol.act('kick', roomId, about(bob))).toMatchObject(FORBIDDEN);
  expect((await alice.act('kick', roomId, about(bob))).status).toBe(200);
  expect(await bob.request('POST', '/knock/%23nowhere%3Atest.example', {})).toMatchObject({
    status: 404,
    body: { errcode: 'M_NOT_FOUND' },
  });
});

test('a user knocks where the room allows it, and is invited then', async () => {
  const knocking = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
  const roomId = await alice.createRoom({ initial_state: [knocking] });
  const knock = (client: RoomClient) => client.request('POST', `/knock/${roomId}`, { reason: 'let me in' });
  expect((await knock(bob)).body).toEqual({ room_id: roomId });
  expect((await knock(bob)).status).toBe(200);
  expect((await alice.getState(roomId, 'm.room.member', bob.userId)).body).toEqual({
    membership: 'knock',
    reason: 'let me in',
  });
  expect((await alice.act('invite', roomId, about(bob))).status).toBe(200);
  expect((await bob.join(roomId)).status).toBe(200);
  expect(await knock(bob)).toMatchObject(FORBIDDEN);
  const closed = await alice.createRoom({});
  expect(await bob.request('POST', `/knock/${closed}`, {})).toMatchObject(FORBIDDEN);
});

test('only a room that was left can be forgotten, and a forgotten one is closed', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const notLeft = { status: 400, body: { errcode: 'M_UNKNOWN' } };
  expect(await bob.act('forget', roomId)).toMatchObject(notLeft);
  await bob.join(roomId);
  expect(await bob.act('forget', roomId)).toMatchObject(notLeft);
  await bob.act('leave', roomId);
  expect((await bob.getState(roomId, 'm.room.create')).status).toBe(200);
  expect((await bob.act('forget', roomId)).status).toBe(200);
  expect((await bob.act('forget', roomId)).status).toBe(200);
  expect(await bob.getState(roomId, 'm.room.create')).toMatchObject(FORBIDDEN);
  await bob.join(roomId);
  expect((await bob.getState(roomId, 'm.room.create')).status).toBe(200);
});

const unknownRoom = [
  { verb: 'invite', errcode: 'M_FORBIDDEN' },
  { verb: 'kick', errcode: 'M_FORBIDDEN' },
  { verb: 'ban', errcode: 'M_FORBIDDEN' },
  { verb: 'unban', errcode: 'M_FORBIDDEN' },
  { verb: 'leave', errcode: 'M_FORBIDDEN' },
  { verb: 'join', errcode: 'M_NOT_FOUND' },
];

test.for(unknownRoom)('$verb says nothing about a room that does not exist', async ({ verb, errcode }) => {
  const answer = await alice.act(verb, '!nowhere:test.example', about(bob));
  expect(answer.body).toMatchObject({ errcode });
});

test('a stranger learns nothing about members by trying to change them', async () => {
  const roomId = await alice.createRoom({ invite: [bob.userId] });
  const answers = await Promise.all([
    carol.act('invite', roomId, about(bob)),
    carol.act('kick', roomId, about(bob)),
    carol.act('unban', roomId, about(bob)),
    carol.act('ban', roomId, about(bob)),
  ]);
  expect(new Set(answers.map((answer) => answer.status))).toEqual(new Set([403]));
});

test('an unknown alias is not found, and what is neither id nor alias is refused', async () => {
  expect(await bob.join('#nowhere:test.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect(await bob.join('#there:other.example')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect(await bob.join('nowhere')).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});
