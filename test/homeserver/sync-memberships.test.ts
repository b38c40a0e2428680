import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, byText, namesOf, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4, wakeUps: 'lost' });
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

async function newReader(): Promise<SyncReader> {
  return new SyncReader(server, await newClient(server));
}

const about = (reader: SyncReader) => ({ user_id: reader.client.userId });

test('an invite comes with stripped state and nothing else of the room', async () => {
  const bob = await newReader();
  await bob.next();
  const roomId = await alice.createRoom({ name: 'Secret plans', topic: 't', invite: [bob.client.userId] });
  await alice.send(roomId, 'not for bob yet');
  const answer = await bob.next();
  const events = answer.rooms.invite[roomId]?.invite_state.events ?? [];
  expect(namesOf(events)).toEqual(
    expect.arrayContaining([
      'm.room.create/',
      'm.room.name/',
      'm.room.join_rules/',
      `m.room.member/${alice.userId}`,
      `m.room.member/${bob.client.userId}`,
    ]),
  );
  for (const event of events)
    expect(Object.keys(event).toSorted(byText)).toEqual(['content', 'sender', 'state_key', 'type']);
  expect(answer.rooms.join).toEqual({});
  expect(JSON.stringify(answer)).not.toContain('not for bob yet');
  expect((await bob.next()).rooms.invite).toEqual({});
  expect(Object.keys((await bob.sync()).rooms.invite)).toEqual([roomId]);
});

test('a refused invite moves to the left rooms and shows nothing of the room', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'private_chat', invite: [bob.client.userId] });
  await alice.setState(roomId, 'm.room.topic', { topic: 'hidden topic' });
  await bob.next();
  await bob.client.act('leave', roomId);
  const answer = await bob.next();
  expect(answer.rooms.invite).toEqual({});
  const room = answer.rooms.leave[roomId];
  expect(namesOf(room?.timeline.events ?? [])).toEqual([`m.room.member/${bob.client.userId}`]);
  expect(room?.state?.events).toEqual([]);
  expect(JSON.stringify(answer)).not.toContain('hidden topic');
});

test('a room joined since the last sync comes whole, as in an initial sync', async () => {
  const bob = await newReader();
  await bob.next();
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'n' });
  for (let i = 0; i < 30; i += 1) await alice.send(roomId, `old ${i}`);
  await bob.client.join(roomId);
  const room = (await bob.next()).rooms.join[roomId];
  expect(room?.timeline.limited).toBe(true);
  expect(room?.timeline.events).toHaveLength(20);
  expect(namesOf(room?.state?.events ?? [])).toEqual(
    expect.arrayContaining(['m.room.create/', 'm.room.name/', `m.room.member/${alice.userId}`]),
  );
  expect(room?.summary).toMatchObject({ 'm.joined_member_count': 2, 'm.heroes': [alice.userId] });
});

test.for(['kick', 'ban'])(
  'after a %s the room is left with what came before, and nothing of what comes after',
  async (verb) => {
    const bob = await newReader();
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.client.join(roomId);
    await bob.next();
    await alice.send(roomId, 'before');
    await alice.act(verb, roomId, about(bob));
    await alice.send(roomId, 'after');
    const answer = await bob.next();
    const events = answer.rooms.leave[roomId]?.timeline.events ?? [];
    expect(answer.rooms.join).toEqual({});
    expect(bodiesOf(events)).toEqual(['before']);
    expect(namesOf(events).at(-1)).toBe(`m.room.member/${bob.client.userId}`);
    await alice.send(roomId, 'later still');
    expect((await bob.next()).rooms).toEqual({ join: {}, leave: {}, invite: {}, knock: {} });
  },
);

test('who left and came back between two syncs does not see what was said meanwhile when history is for members', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
  await bob.client.join(roomId);
  await bob.next();
  await alice.send(roomId, 'seen 1');
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'unseen');
  await bob.client.join(roomId);
  await alice.send(roomId, 'seen 2');
  const room = (await bob.next()).rooms.join[roomId];
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(['seen 1', 'seen 2']);
});

test('joined and left between two syncs: the time inside is shown, also from an older token', async () => {
  const bob = await newReader();
  await bob.next();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await alice.send(roomId, 'inside');
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'outside');
  const room = (await bob.next()).rooms.leave[roomId];
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(['inside']);
});

test('left rooms come in an initial sync when asked for, until they are forgotten', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await alice.send(roomId, 'inside');
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'outside');
  const filter = { room: { include_leave: true } };
  expect((await bob.sync()).rooms.leave).toEqual({});
  const room = (await bob.sync({ filter })).rooms.leave[roomId];
  expect(bodiesOf(room?.timeline.events ?? [])).toEqual(['inside']);
  expect(bodiesOf((await bob.messages(roomId, { dir: 'b' })).chunk)).toEqual(['inside']);
  await bob.client.act('forget', roomId);
  expect((await bob.sync({ filter })).rooms.leave).toEqual({});
  await expect(bob.messages(roomId, { dir: 'b' })).rejects.toThrow('M_FORBIDDEN');
});

test('messages and invites of ignored users are left out, their state events are not', async () => {
  const bob = await newReader();
  const carol = await newClient(server);
  const ignore = { ignored_users: { [carol.userId]: {} } };
  await bob.client.request('PUT', `/user/${bob.client.userId}/account_data/m.ignored_user_list`, ignore);
  const roomId = await carol.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await bob.next();
  await carol.send(roomId, 'unwanted');
  await carol.setState(roomId, 'm.room.topic', { topic: 'state' });
  const invited = await carol.createRoom({ invite: [bob.client.userId] });
  const answer = await bob.next();
  expect(namesOf(answer.rooms.join[roomId]?.timeline.events ?? [])).toEqual(['m.room.topic/']);
  expect(answer.rooms.invite[invited]).toBeUndefined();
});

test('a knock is shown with stripped state', async () => {
  const bob = await newReader();
  const joinRule = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
  const roomId = await alice.createRoom({ preset: 'private_chat', initial_state: [joinRule] });
  await bob.next();
  await bob.client.request('POST', `/knock/${encodeURIComponent(roomId)}`, {});
  const events = (await bob.next()).rooms.knock[roomId]?.knock_state.events ?? [];
  expect(namesOf(events)).toEqual(expect.arrayContaining(['m.room.create/', `m.room.member/${bob.client.userId}`]));
});

const FILTER_LEFT = { room: { include_leave: true } };

test('a forgotten room stays away from sync whatever others make of the membership, and is shown again with an invite', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await bob.next();
  await bob.client.act('leave', roomId);
  await bob.client.act('forget', roomId);
  expect(Object.keys((await bob.next()).rooms.leave)).toEqual([roomId]);
  for (const verb of ['ban', 'unban']) {
    await alice.act(verb, roomId, about(bob));
    expect((await bob.next()).rooms.leave).toEqual({});
    expect((await bob.sync({ filter: FILTER_LEFT })).rooms.leave).toEqual({});
    await expect(bob.messages(roomId, { dir: 'b' })).rejects.toThrow('M_FORBIDDEN');
  }
  await alice.act('invite', roomId, about(bob));
  expect(Object.keys((await bob.next()).rooms.invite)).toEqual([roomId]);
  await bob.client.act('leave', roomId);
  expect(Object.keys((await bob.next()).rooms.leave)).toEqual([roomId]);
  expect(Object.keys((await bob.sync({ filter: FILTER_LEFT })).rooms.leave)).toEqual([roomId]);
});

test('forgotten history stays forgotten until the user is in the room again', async () => {
  const bob = await newReader();
  const knocking = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
  const roomId = await alice.createRoom({ invite: [bob.client.userId], initial_state: [knocking] });
  await bob.client.join(roomId);
  const eventId = await alice.send(roomId, 'inside');
  await bob.client.act('leave', roomId);
  await bob.client.act('forget', roomId);
  const read = async () => [
    (await bob.client.request('GET', `/rooms/${encodeURIComponent(roomId)}/event/${eventId}`)).status,
    (await bob.client.getState(roomId, 'm.room.create')).status,
  ];
  expect(await read()).toEqual([404, 403]);
  await bob.client.request('POST', `/knock/${encodeURIComponent(roomId)}`, {});
  expect(await read()).toEqual([404, 403]);
  await alice.act('invite', roomId, about(bob));
  expect(await read()).toEqual([404, 403]);
  await bob.client.act('leave', roomId);
  expect(await read()).toEqual([404, 403]);
  await alice.act('invite', roomId, about(bob));
  await bob.client.join(roomId);
  expect(await read()).toEqual([200, 200]);
});

test.for(['invite', 'knock'])('who has left keeps what they could read, also after a new %s', async (follows) => {
  const bob = await newReader();
  const knocking = { type: 'm.room.join_rules', content: { join_rule: 'knock' } };
  const roomId = await alice.createRoom({ invite: [bob.client.userId], initial_state: [knocking] });
  await bob.client.join(roomId);
  await alice.send(roomId, 'inside');
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'outside');
  await alice.setState(roomId, 'm.room.topic', { topic: 'outside' });
  if (follows === 'invite') await alice.act('invite', roomId, about(bob));
  else await bob.client.request('POST', `/knock/${encodeURIComponent(roomId)}`, {});
  expect(bodiesOf((await bob.messages(roomId, { dir: 'b' })).chunk)).toEqual(['inside']);
  expect((await bob.client.getState(roomId, 'm.room.topic')).status).toBe(404);
  expect((await bob.client.getState(roomId, 'm.room.create')).status).toBe(200);
});

test('one who knocks sees the history that the world may read', async () => {
  const bob = await newReader();
  const initial_state = [
    { type: 'm.room.join_rules', content: { join_rule: 'knock' } },
    { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
  ];
  const roomId = await alice.createRoom({ invite: [bob.client.userId], initial_state });
  await bob.client.join(roomId);
  await bob.client.act('leave', roomId);
  await alice.send(roomId, 'for the world');
  await bob.client.request('POST', `/knock/${encodeURIComponent(roomId)}`, {});
  expect(bodiesOf((await bob.messages(roomId, { dir: 'b' })).chunk)).toEqual(['for the world']);
});

const permission = (bob: SyncReader, content: object) =>
  bob.client.request('PUT', `/user/${bob.client.userId}/account_data/m.invite_permission_config`, content);

test('who blocks invites gets none, by whatever way, until they say otherwise', async () => {
  const bob = await newReader();
  const user_id = bob.client.userId;
  const before = await alice.createRoom({ invite: [user_id] });
  await permission(bob, { default_action: 'block' });
  const roomId = await alice.createRoom();
  const invite = { type: 'm.room.member', content: { membership: 'invite' }, state_key: user_id };
  const blocked = { status: 403, body: { errcode: 'M_INVITE_BLOCKED' } };
  expect(await alice.act('invite', roomId, { user_id })).toMatchObject(blocked);
  expect(await alice.setState(roomId, 'm.room.member', invite.content, user_id)).toMatchObject(blocked);
  expect(await alice.tryCreate({ invite: [user_id] })).toMatchObject(blocked);
  expect(await alice.tryCreate({ initial_state: [invite] })).toMatchObject(blocked);
  expect((await bob.next()).rooms.invite).toEqual({});
  expect(JSON.stringify(await bob.client.get('/initialSync'))).not.toContain(before);
  await permission(bob, { default_action: 'allow' });
  expect((await alice.act('invite', roomId, { user_id })).status).toBe(200);
  expect(Object.keys((await bob.next()).rooms.invite)).toEqual([roomId]);
  expect(Object.keys((await bob.sync()).rooms.invite).toSorted(byText)).toEqual([before, roomId].toSorted(byText));
});

test('an invite that came before it was blocked is held back in a sync that goes on, too', async () => {
  const bob = await newReader();
  await bob.next();
  const roomId = await alice.createRoom({ invite: [bob.client.userId] });
  await permission(bob, { default_action: 'block' });
  expect((await bob.next()).rooms.invite).toEqual({});
  expect(await bob.client.membershipOf(roomId, bob.client.userId)).toBeUndefined();
  expect((await bob.client.join(roomId)).status).toBe(200);
});
