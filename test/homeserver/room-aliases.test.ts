import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4, wakeUps: 'lost' });
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const FORBIDDEN = { status: 403, body: { errcode: 'M_FORBIDDEN' } };
let names = 0;
const newAlias = () => `#name${(names += 1)}:${server.serverName}`;
const pathOf = (alias: string) => `/directory/room/${encodeURIComponent(alias)}`;
const setAlias = (client: RoomClient, alias: string, roomId: string) =>
  client.request('PUT', pathOf(alias), { room_id: roomId });
const deleteAlias = (client: RoomClient, alias: string) => client.request('DELETE', pathOf(alias));
const aliasesOf = async (roomId: string) => alice.get(`/rooms/${encodeURIComponent(roomId)}/aliases`);

test('an alias that a member sets leads to the room, is listed and joined by', async () => {
  const [roomId, alias] = [await alice.createRoom({ preset: 'public_chat' }), newAlias()];
  expect(await setAlias(alice, alias, roomId)).toMatchObject({ status: 200, body: {} });
  expect((await server.request('GET', `/_matrix/client/v3${pathOf(alias)}`)).body).toEqual({
    room_id: roomId,
    servers: [server.serverName],
  });
  expect(await aliasesOf(roomId)).toEqual({ aliases: [alias] });
  expect((await bob.join(alias)).body).toEqual({ room_id: roomId });
});

test('an alias that is taken is refused, the same one again by the same user is not', async () => {
  const [first, second] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  const alias = newAlias();
  await setAlias(alice, alias, first);
  expect((await setAlias(alice, alias, first)).status).toBe(200);
  await bob.join(first);
  const taken = { status: 409, body: { errcode: 'M_UNKNOWN' } };
  expect(await setAlias(alice, alias, second)).toMatchObject(taken);
  expect(await setAlias(bob, alias, first)).toMatchObject(taken);
});

test('two users who ask for one alias at once get it once', async () => {
  const rooms = await Promise.all([alice.createRoom(), bob.createRoom()]);
  const alias = newAlias();
  const answers = await Promise.all([setAlias(alice, alias, rooms[0]), setAlias(bob, alias, rooms[1])]);
  expect(answers.map((answer) => answer.status).toSorted((a, b) => a - b)).toEqual([200, 409]);
});

const refused = [
  { name: 'of another server', alias: '#a:elsewhere.example', errcode: 'M_INVALID_PARAM', status: 400 },
  { name: 'without a server', alias: '#nothing', errcode: 'M_INVALID_PARAM', status: 400 },
  { name: 'that is a room id', alias: '!a:test.example', errcode: 'M_INVALID_PARAM', status: 400 },
];
test.for(refused)('an alias $name is refused', async ({ alias, errcode, status }) => {
  const roomId = await alice.createRoom();
  expect(await setAlias(alice, alias, roomId)).toMatchObject({ status, body: { errcode } });
  expect(await deleteAlias(alice, alias)).toMatchObject({ status, body: { errcode } });
});

test('who is not in the room sets no alias and lists none, whether the room is there or not', async () => {
  const roomId = await alice.createRoom();
  for (const id of [roomId, '!nowhere:test.example']) {
    expect(await setAlias(bob, newAlias(), id)).toMatchObject(FORBIDDEN);
    expect(await bob.request('GET', `/rooms/${encodeURIComponent(id)}/aliases`)).toMatchObject(FORBIDDEN);
  }
});

test('aliases of a world-readable room are for everybody', async () => {
  const roomId = await alice.createRoom();
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
  const answer = await bob.request('GET', `/rooms/${encodeURIComponent(roomId)}/aliases`);
  expect(answer).toMatchObject({ status: 200, body: { aliases: [] } });
});

test('its maker and who may set the canonical alias take an alias away, nobody else', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const [ofAlice, ofBob] = [newAlias(), newAlias()];
  await setAlias(alice, ofAlice, roomId);
  await setAlias(bob, ofBob, roomId);
  expect(await deleteAlias(bob, ofAlice)).toMatchObject(FORBIDDEN);
  expect((await deleteAlias(bob, ofBob)).status).toBe(200);
  await setAlias(bob, ofBob, roomId);
  expect((await deleteAlias(alice, ofBob)).status).toBe(200);
  expect(await aliasesOf(roomId)).toEqual({ aliases: [ofAlice] });
  expect(await deleteAlias(alice, ofBob)).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect((await server.request('GET', `/_matrix/client/v3${pathOf(ofBob)}`)).status).toBe(404);
});

test('an alias that is taken away leaves the canonical alias too, if the user has the power', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const [main, other, third] = [newAlias(), newAlias(), newAlias()];
  for (const alias of [main, other]) await setAlias(alice, alias, roomId);
  await setAlias(bob, third, roomId);
  await alice.setState(roomId, 'm.room.canonical_alias', { alias: main, alt_aliases: [other, third] });
  const canonical = async () => (await alice.getState(roomId, 'm.room.canonical_alias')).body;
  await deleteAlias(bob, third);
  expect(await canonical()).toEqual({ alias: main, alt_aliases: [other, third] });
  await deleteAlias(alice, main);
  expect(await canonical()).toEqual({ alt_aliases: [other, third] });
  await deleteAlias(alice, other);
  expect(await canonical()).toEqual({ alt_aliases: [third] });
});
