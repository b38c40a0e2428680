import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let admin: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2, spread: true });
  admin = await newClient(server, 'root');
  const database = await server.database.connect();
  await database.query(
    `update accounts set admin = true where user_no in (select user_no from users where user_id like '@root:%')`,
  );
  await database.end();
});
afterAll(() => server.stop());

const SENDER = '@_server:test.example';
const PATH = '/_synapse/admin/v1/send_server_notice';
const content = { msgtype: 'm.text', body: 'the cellar is flooded' };
const EventId = z.object({ event_id: z.string() });

async function notify(userId: string): Promise<string> {
  const answer = await server.request('POST', PATH, { token: admin.user.token, body: { user_id: userId, content } });
  expect(answer).toMatchObject({ status: 200 });
  return EventId.parse(answer.body).event_id;
}

async function invitedTo(reader: SyncReader): Promise<string> {
  const { rooms } = await reader.sync();
  const [roomId = ''] = Object.keys(rooms.invite);
  expect(rooms.invite[roomId]?.invite_state.events.every((event) => event.sender === SENDER)).toBe(true);
  return roomId;
}

test('a notice invites to a room of its own that cannot be rejected, can be left, and is used again', async () => {
  const alice = new SyncReader(server, await newClient(server));
  const eventId = await notify(alice.client.userId);
  const roomId = await invitedTo(alice);
  const rejected = { status: 403, body: { errcode: 'M_CANNOT_LEAVE_SERVER_NOTICE_ROOM' } };
  expect(await alice.client.act('leave', roomId)).toMatchObject(rejected);
  const leave = { membership: 'leave' };
  expect(await alice.client.setState(roomId, 'm.room.member', leave, alice.client.userId)).toMatchObject(rejected);
  expect((await alice.client.join(roomId)).status).toBe(200);
  const room = (await alice.sync()).rooms.join[roomId];
  expect(room?.timeline.events.find((event) => event.event_id === eventId)).toMatchObject({ sender: SENDER, content });
  expect(room?.account_data.events).toEqual([{ type: 'm.tag', content: { tags: { 'm.server_notice': {} } } }]);
  expect((await alice.client.trySend(roomId, content)).body).toMatchObject({ errcode: 'M_FORBIDDEN' });
  expect((await alice.client.getState(roomId, 'm.room.name')).body).toEqual({ name: 'Server notices' });
  expect((await alice.client.getState(roomId, 'm.room.member', SENDER)).body).toMatchObject({
    displayname: 'Server notices',
  });
  expect((await alice.client.act('leave', roomId)).status).toBe(200);
  await notify(alice.client.userId);
  expect(await invitedTo(alice)).toBe(roomId);
});

test('a repeated transaction sends nothing more, and tags of the user stay', async () => {
  const bob = new SyncReader(server, await newClient(server));
  const once = async () =>
    EventId.parse(
      (
        await server.request('PUT', `${PATH}/1`, {
          token: admin.user.token,
          body: { user_id: bob.client.userId, content },
        })
      ).body,
    ).event_id;
  const first = await once();
  const roomId = await invitedTo(bob);
  await bob.client.join(roomId);
  await bob.client.request('PUT', `/user/${bob.client.userId}/rooms/${roomId}/tags/m.favourite`, { order: 0.5 });
  expect(await once()).toBe(first);
  const room = (await bob.sync()).rooms.join[roomId];
  expect(room?.timeline.events.filter((event) => event.type === 'm.room.message')).toHaveLength(1);
  const tags = { 'm.server_notice': {}, 'm.favourite': { order: 0.5 } };
  expect(room?.account_data.events).toEqual([{ type: 'm.tag', content: { tags } }]);
});

test('notices sent at the same moment to a new user make one room', async () => {
  const carol = new SyncReader(server, await newClient(server));
  await Promise.all(Array.from({ length: 6 }, () => notify(carol.client.userId)));
  const roomId = await invitedTo(carol);
  await carol.client.join(roomId);
  const { rooms } = await carol.sync();
  expect(Object.keys(rooms.join)).toEqual([roomId]);
  expect(rooms.join[roomId]?.timeline.events.filter((event) => event.type === 'm.room.message')).toHaveLength(6);
});

test('only administrators send notices, only to users who are there, and nobody can take the name', async () => {
  const dave = await newClient(server);
  const asDave = await server.request('POST', PATH, { token: dave.user.token });
  expect(asDave).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  const refused = async (body: object) => (await server.request('POST', PATH, { token: admin.user.token, body })).body;
  expect(await refused({ user_id: '@nobody:test.example', content })).toMatchObject({ errcode: 'M_NOT_FOUND' });
  expect(await refused({ content })).toMatchObject({ errcode: 'M_MISSING_PARAM' });
  const auth = { type: 'm.login.dummy' };
  const taken = { username: '_server', password: 'let me be the server', auth };
  const answer = await server.request('POST', '/_matrix/client/v3/register', { body: taken });
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_EXCLUSIVE' } });
});
