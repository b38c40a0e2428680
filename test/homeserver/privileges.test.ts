import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let mallory: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, mallory] = [await newClient(server, 'alice'), await newClient(server, 'mallory')];
});
afterAll(() => server.stop());

const versions = [{ version: '10' }, { version: '11' }, { version: '12' }];

test.for(versions)('a redaction sent as state is refused and takes nothing away, in version $version', async (row) => {
  const roomId = await alice.createRoom({ room_version: row.version });
  const target = await alice.send(roomId, 'precious');
  const own = await mallory.createRoom({ room_version: row.version });
  const redaction = { redacts: target };
  const refused = { status: 400, body: { errcode: 'M_BAD_JSON' } };
  expect(await mallory.setState(own, 'm.room.redaction', redaction)).toMatchObject(refused);
  const initial = { initial_state: [{ type: 'm.room.redaction', content: redaction }], room_version: row.version };
  expect(await mallory.tryCreate(initial)).toMatchObject(refused);
  expect(await alice.request('GET', `/rooms/${roomId}/event/${target}`)).toMatchObject({
    body: { content: { body: 'precious' } },
  });
});

test('nobody gets into a restricted room by naming a member who would grant the join', async () => {
  const house = await alice.createRoom({ preset: 'private_chat' });
  const allow = [{ type: 'm.room_membership', room_id: house }];
  const joinRules = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
  const roomId = await alice.createRoom({ preset: 'private_chat', initial_state: [joinRules] });
  const content = { membership: 'join', join_authorised_via_users_server: alice.userId };
  expect(await mallory.setState(roomId, 'm.room.member', content, mallory.userId)).toMatchObject({
    status: 403,
    body: { errcode: 'M_FORBIDDEN' },
  });
  expect(await alice.membershipOf(roomId, mallory.userId)).toBeUndefined();
});

test('who was let into a restricted room may still write their own member event again', async () => {
  const house = await alice.createRoom({ preset: 'public_chat' });
  const allow = [{ type: 'm.room_membership', room_id: house }];
  const joinRules = { type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } };
  const roomId = await alice.createRoom({ preset: 'private_chat', initial_state: [joinRules] });
  const bob = await newClient(server);
  await bob.join(house);
  expect((await bob.join(roomId)).status).toBe(200);
  const ids: string[] = [];
  for (const name of [alice.userId, 'unused', 'unused']) {
    const content = { membership: 'join', join_authorised_via_users_server: name, displayname: 'Bob' };
    ids.push(eventIdOf(await bob.setState(roomId, 'm.room.member', content, bob.userId)));
  }
  expect(new Set(ids).size).toBe(1);
  expect((await bob.getState(roomId, 'm.room.member', bob.userId)).body).toEqual({
    membership: 'join',
    displayname: 'Bob',
  });
});

test('an event type that is too long is refused, also with an annotation', async () => {
  const roomId = await alice.createRoom();
  const target = await alice.send(roomId, 'like me');
  // Too random to be compressed into an index entry.
  const type = randomBytes(1900).toString('hex');
  const content = { 'm.relates_to': { rel_type: 'm.annotation', event_id: target, key: '+' } };
  expect(await alice.trySend(roomId, content, { type })).toMatchObject({
    status: 413,
    body: { errcode: 'M_TOO_LARGE' },
  });
});
