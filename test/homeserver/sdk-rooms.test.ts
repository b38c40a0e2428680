import {
  EventType,
  JoinRule,
  KnownMembership,
  type MatrixClient,
  Preset,
  RestrictedAllowType,
  RoomType,
} from 'matrix-js-sdk';
import { RoomHierarchy } from 'matrix-js-sdk/lib/room-hierarchy.js';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient } from '../support/room-client.ts';
import { startSyncing } from '../support/sdk-client.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: MatrixClient;
let bob: MatrixClient;
let bobId: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
  const [first, second] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
  bobId = second.userId;
  [alice, bob] = await Promise.all([startSyncing(server, first), startSyncing(server, second)]);
});
afterAll(async () => {
  alice.stopClient();
  bob.stopClient();
  await server.stop();
});

/** Waits until a client's room shows a user with this membership. */
const sees = (client: MatrixClient, roomId: string, membership: string) =>
  waitFor(() => client.getRoom(roomId)?.getMember(bobId)?.membership === membership, {
    what: `${membership} in ${roomId}`,
  });
const has = (client: MatrixClient, roomId: string, membership: string) =>
  waitFor(() => client.getRoom(roomId)?.getMyMembership() === membership, { what: `own ${membership} in ${roomId}` });

async function newKnockingRoom(): Promise<string> {
  const rule = { type: EventType.RoomJoinRules, state_key: '', content: { join_rule: JoinRule.Knock } };
  const made = await alice.createRoom({ preset: Preset.PrivateChat, name: 'Club', initial_state: [rule] });
  await has(alice, made.room_id, KnownMembership.Join);
  return made.room_id;
}

test('a direct chat without a name is called by who invites to it, and their profile has more fields than two', async () => {
  await alice.setDisplayName('Alice Liddell');
  const made = await alice.createRoom({ preset: Preset.TrustedPrivateChat, is_direct: true, invite: [bobId] });
  await has(bob, made.room_id, KnownMembership.Invite);
  const room = bob.getRoom(made.room_id);
  expect(room?.name).toBe('Alice Liddell');
  expect(room?.getDMInviter()).toBe(alice.getUserId());
  expect(await alice.doesServerSupportExtendedProfiles()).toBe(true);
  await alice.setExtendedProfileProperty('m.tz', 'Europe/London');
  const profile = await bob.getExtendedProfile(alice.getUserId() ?? '');
  expect(profile).toEqual({ displayname: 'Alice Liddell', 'm.tz': 'Europe/London' });
});

test('a knock is seen by those inside, is answered with an invite, and lets in', async () => {
  const roomId = await newKnockingRoom();
  await bob.knockRoom(roomId, { reason: 'let me in', viaServers: [server.serverName] });
  await has(bob, roomId, KnownMembership.Knock);
  expect(bob.getRoom(roomId)?.name).toBe('Club');
  expect(bob.getRoom(roomId)?.getJoinRule()).toBe(JoinRule.Knock);
  await sees(alice, roomId, KnownMembership.Knock);
  expect(alice.getRoom(roomId)?.getMember(bobId)?.events.member?.getContent()['reason']).toBe('let me in');
  await alice.invite(roomId, bobId);
  await has(bob, roomId, KnownMembership.Invite);
  await bob.joinRoom(roomId);
  await has(bob, roomId, KnownMembership.Join);
  await sees(alice, roomId, KnownMembership.Join);
});

test('a knock is taken back, and another one is refused', async () => {
  const roomId = await newKnockingRoom();
  await bob.knockRoom(roomId);
  await has(bob, roomId, KnownMembership.Knock);
  await bob.leave(roomId);
  await has(bob, roomId, KnownMembership.Leave);
  await sees(alice, roomId, KnownMembership.Leave);
  await bob.knockRoom(roomId);
  await sees(alice, roomId, KnownMembership.Knock);
  await alice.kick(roomId, bobId, 'not today');
  await has(bob, roomId, KnownMembership.Leave);
  expect(bob.getRoom(roomId)?.getMember(bobId)?.isKicked()).toBe(true);
  await bob.forget(roomId);
  expect(bob.getRoom(roomId)).toBeNull();
});

const newSpace = async (name: string, preset = Preset.PublicChat) =>
  (await alice.createRoom({ name, preset, creation_content: { type: RoomType.Space } })).room_id;
const addChild = (space: string, child: string, more: object = {}) =>
  alice.sendStateEvent(space, EventType.SpaceChild, { via: [server.serverName], ...more }, child);

async function newRestrictedRoom(space: string, name: string): Promise<string> {
  const allow = [{ type: RestrictedAllowType.RoomMembership, room_id: space }];
  const rule = { type: EventType.RoomJoinRules, state_key: '', content: { join_rule: JoinRule.Restricted, allow } };
  return (await alice.createRoom({ name, preset: Preset.PrivateChat, initial_state: [rule] })).room_id;
}

test('who joins a space sees the rooms below it and joins one that is only for its members', async () => {
  const [space, inner] = [await newSpace('Company'), await newSpace('Department')];
  const [restricted, secret] = [
    await newRestrictedRoom(space, 'Kitchen'),
    (await alice.createRoom({ name: 'Board', preset: Preset.PrivateChat })).room_id,
  ];
  const deep = await newRestrictedRoom(space, 'Office');
  await addChild(space, restricted, { order: 'a', suggested: true });
  await addChild(space, inner, { order: 'b' });
  await addChild(space, secret, { order: 'c' });
  await addChild(inner, deep);
  await expect(bob.joinRoom(restricted)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
  const root = await bob.joinRoom(space);
  await has(bob, space, KnownMembership.Join);
  expect(bob.getRoom(space)?.isSpaceRoom()).toBe(true);
  const hierarchy = new RoomHierarchy(root, 2);
  while (hierarchy.canLoadMore) await hierarchy.load();
  expect(hierarchy.noSupport).toBe(false);
  expect(hierarchy.rooms?.map((room) => room.room_id)).toEqual([space, restricted, inner, deep]);
  expect(hierarchy.roomMap.get(restricted)).toMatchObject({ join_rule: 'restricted', allowed_room_ids: [space] });
  expect(hierarchy.isSuggested(space, restricted)).toBe(true);
  expect([...(hierarchy.viaMap.get(restricted) ?? [])]).toEqual([server.serverName]);
  expect(await bob.getRoomSummary(restricted)).toMatchObject({ room_id: restricted, name: 'Kitchen' });
  await bob.joinRoom(restricted, { viaServers: [server.serverName] });
  await has(bob, restricted, KnownMembership.Join);
  await sees(alice, restricted, KnownMembership.Join);
  const member = alice.getRoom(restricted)?.getMember(bobId)?.events.member?.getContent();
  expect(member).toMatchObject({ membership: 'join', join_authorised_via_users_server: alice.getUserId() });
});

test('a child that is added or taken away reaches a client that is in the space', async () => {
  const [space, room] = [await newSpace('Club'), await newSpace('Cellar')];
  await bob.joinRoom(space);
  await addChild(space, room);
  const child = () => bob.getRoom(space)?.currentState.getStateEvents(EventType.SpaceChild, room)?.getContent();
  await waitFor(() => Array.isArray(child()?.['via']), { what: 'the child' });
  await alice.sendStateEvent(space, EventType.SpaceChild, {}, room);
  await waitFor(() => child()?.['via'] === undefined, { what: 'the end of the child' });
  const { rooms } = await bob.getRoomHierarchy(space);
  expect(rooms.map((found) => found.room_id)).toEqual([space]);
});

test('who leaves the space stays in its room, and cannot come back once out of both', async () => {
  const space = await newSpace('Guild');
  const room = await newRestrictedRoom(space, 'Workshop');
  await bob.joinRoom(space);
  await bob.joinRoom(room);
  await bob.leave(space);
  await has(bob, space, KnownMembership.Leave);
  await bob.sendTextMessage(room, 'still here');
  await bob.leave(room);
  await has(bob, room, KnownMembership.Leave);
  await expect(bob.joinRoom(room)).rejects.toMatchObject({ errcode: 'M_FORBIDDEN' });
});
