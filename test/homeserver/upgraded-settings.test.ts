import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let old: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
});
afterAll(() => server.stop());
beforeEach(async () => {
  [alice, bob] = await Promise.all([newClient(server), newClient(server)]);
  old = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(old);
});

const inRoom = (client: RoomClient, room: string, rest: string) =>
  `/user/${client.userId}/rooms/${encodeURIComponent(room)}/${rest}`;
const tags = async (client: RoomClient, room: string) =>
  z.object({ tags: z.looseObject({}) }).parse(await client.get(inRoom(client, room, 'tags'))).tags;
const direct = (client: RoomClient) => client.get(`/user/${client.userId}/account_data/m.direct`);
const rule = async (client: RoomClient, kind: string, room: string) =>
  (await client.request('GET', `/pushrules/global/${kind}/${encodeURIComponent(room)}`)).body;

async function settle(client: RoomClient, friend: RoomClient) {
  await client.request('PUT', inRoom(client, old, 'tags/m.favourite'), { order: 0.25 });
  await client.request('PUT', `/user/${client.userId}/account_data/m.direct`, {
    [friend.userId]: [old],
    '@other:one': ['!another:one'],
    odd: 'no list',
  });
  await client.request('PUT', `/pushrules/global/room/${encodeURIComponent(old)}`, { actions: ['dont_notify'] });
  const conditions = [{ kind: 'event_match', key: 'room_id', pattern: old }];
  await client.request('PUT', `/pushrules/global/override/${encodeURIComponent(old)}`, { actions: [], conditions });
}

const upgrade = async () =>
  z.looseObject({ replacement_room: z.string() }).parse((await alice.act('upgrade', old, { new_version: '12' })).body)
    .replacement_room;

test.for(['upgrades', 'joins the replacement', 'sets their membership in the replacement'])(
  'who %s finds tags, push rules and the direct chat in the new room, beside those of the old one',
  async (who) => {
    const [mover, friend] = who === 'upgrades' ? [alice, bob] : [bob, alice];
    await settle(mover, friend);
    const next = await upgrade();
    const reader = new SyncReader(server, mover);
    await reader.next();
    if (mover === bob) {
      expect(await tags(bob, next)).toEqual({});
      const join = { membership: 'join' };
      const answer = who.startsWith('sets')
        ? await bob.setState(next, 'm.room.member', join, bob.userId)
        : await bob.join(next);
      expect(answer.status).toBe(200);
      const told = (await reader.next()).rooms.join[next];
      expect(told?.account_data.events).toEqual([
        { type: 'm.tag', content: { tags: { 'm.favourite': { order: 0.25 } } } },
      ]);
    }
    expect(await tags(mover, next)).toEqual({ 'm.favourite': { order: 0.25 } });
    expect(await tags(mover, old)).toEqual({ 'm.favourite': { order: 0.25 } });
    const list = { [friend.userId]: [old, next], '@other:one': ['!another:one'], odd: 'no list' };
    expect(await direct(mover)).toEqual(list);
    expect(await rule(mover, 'room', next)).toMatchObject({ actions: ['dont_notify'], enabled: true });
    expect(await rule(mover, 'override', next)).toMatchObject({
      conditions: [{ kind: 'event_match', key: 'room_id', pattern: next }],
    });
    expect(await rule(mover, 'override', old)).toMatchObject({ actions: [] });
  },
);

test('who upgrades a room by hand finds their settings in the new one too, whose old one names it last', async () => {
  await settle(alice, bob);
  const next = await alice.createRoom({ creation_content: { predecessor: { room_id: old } } });
  expect(await tags(alice, next)).toEqual({});
  const tombstone = { body: 'moved', replacement_room: next };
  expect((await alice.setState(old, 'm.room.tombstone', tombstone)).status).toBe(200);
  expect(await tags(alice, next)).toEqual({ 'm.favourite': { order: 0.25 } });
  expect(await rule(alice, 'room', next)).toMatchObject({ actions: ['dont_notify'], enabled: true });
  expect(await direct(alice)).toMatchObject({ [bob.userId]: [old, next] });
});

test('what the user has taken away in the new room stays away when they join it again', async () => {
  await settle(bob, alice);
  const next = await upgrade();
  await bob.join(next);
  await bob.request('DELETE', inRoom(bob, next, 'tags/m.favourite'));
  await bob.join(next);
  expect(await tags(bob, next)).toEqual({});
  expect(await direct(bob)).toMatchObject({ [alice.userId]: [old, next] });
});

test('a room that only claims to replace another gets nothing', async () => {
  await settle(bob, alice);
  const claimed = await alice.createRoom({
    preset: 'public_chat',
    creation_content: { predecessor: { room_id: old, event_id: '$x' } },
  });
  await bob.join(claimed);
  expect(await tags(bob, claimed)).toEqual({});
  expect(await direct(bob)).toMatchObject({ [alice.userId]: [old] });
  expect(await rule(bob, 'room', claimed)).toMatchObject({ errcode: 'M_NOT_FOUND' });
});
