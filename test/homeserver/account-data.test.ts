import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { ownObject } from '../../homeserver/room/json-value.ts';
import { parseJsonObject } from '../../homeserver/room/strict-json.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let roomId: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3 });
  alice = await newClient(server, 'alice');
  roomId = await alice.createRoom();
});
afterAll(() => server.stop());

const inRoom = (room: string, rest: string) => `/user/${alice.userId}/rooms/${encodeURIComponent(room)}/${rest}`;
const global = (type: string, userId = alice.userId) => `/user/${userId}/account_data/${type}`;
const setTag = (room: string, tag: string, body: object = {}) =>
  alice.request('PUT', inRoom(room, `tags/${encodeURIComponent(tag)}`), body);
const tags = async (room: string) =>
  z.object({ tags: z.looseObject({}) }).parse(await alice.get(inRoom(room, 'tags'))).tags;

test('account data is kept as it was given, global and for a room apart', async () => {
  const content = { 'a.b': [1.5, null, { '\\': 'é' }], n: 0.25 };
  expect((await alice.request('PUT', global('org.example'), content)).body).toEqual({});
  expect((await alice.request('PUT', inRoom(roomId, 'account_data/org.example'), { of: 'room' })).body).toEqual({});
  expect(await alice.get(global('org.example'))).toEqual(content);
  expect(await alice.get(inRoom(roomId, 'account_data/org.example'))).toEqual({ of: 'room' });
  const answer = await new SyncReader(server, alice).sync();
  expect(answer.account_data.events).toContainEqual({ type: 'org.example', content });
  expect(answer.rooms.join[roomId]?.account_data.events).toContainEqual({
    type: 'org.example',
    content: { of: 'room' },
  });
  const initial = z
    .looseObject({ account_data: z.array(z.unknown()) })
    .parse(await alice.get(`/rooms/${encodeURIComponent(roomId)}/initialSync`));
  expect(initial.account_data).toContainEqual({ type: 'org.example', content: { of: 'room' } });
});

test('what only the server writes, what is no object, what is too large and what is of others is refused', async () => {
  for (const type of ['m.fully_read', 'm.push_rules'])
    for (const path of [global(type), inRoom(roomId, `account_data/${type}`)])
      expect(await alice.request('PUT', path, {})).toMatchObject({ status: 405, body: { errcode: 'M_BAD_JSON' } });
  expect(await alice.request('PUT', global('x'), [])).toMatchObject({ status: 400, body: { errcode: 'M_BAD_JSON' } });
  const large = { text: 'x'.repeat(600_000) };
  expect(await alice.request('PUT', global('x'), large)).toMatchObject({
    status: 413,
    body: { errcode: 'M_TOO_LARGE' },
  });
  const bob = await newClient(server, 'bob');
  for (const method of ['GET', 'PUT'])
    expect(await bob.request(method, global('org.example'), method === 'PUT' ? {} : undefined)).toMatchObject({
      status: 403,
      body: { errcode: 'M_FORBIDDEN' },
    });
  expect(await alice.request('GET', global('none'))).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  const noRoom = await alice.request('PUT', inRoom('nonsense', 'account_data/x'), {});
  expect(noRoom).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test('tags are set, changed, read and taken away, and sync tells them as m.tag of the room', async () => {
  const reader = new SyncReader(server, alice);
  await reader.next();
  const told = async () =>
    (await reader.next()).rooms.join[roomId]?.account_data.events
      .filter((event) => event.type === 'm.tag')
      .map((event) => event.content);
  expect(await tags(roomId)).toEqual({});
  expect((await setTag(roomId, 'm.favourite', { order: 0.5 })).body).toEqual({});
  expect((await setTag(roomId, 'u.Work / Ä')).body).toEqual({});
  const both = { 'm.favourite': { order: 0.5 }, 'u.Work / Ä': {} };
  expect(await tags(roomId)).toEqual(both);
  expect(await told()).toEqual([{ tags: both }]);
  await setTag(roomId, 'm.favourite', { order: 1, 'org.example': true });
  expect((await alice.request('DELETE', inRoom(roomId, `tags/${encodeURIComponent('u.Work / Ä')}`))).body).toEqual({});
  const left = { 'm.favourite': { order: 1, 'org.example': true } };
  expect(await tags(roomId)).toEqual(left);
  expect(await told()).toEqual([{ tags: left }]);
  expect((await alice.request('DELETE', inRoom(roomId, 'tags/none'))).status).toBe(200);
  expect(await told()).toBeUndefined();
  expect(await alice.get(inRoom(roomId, 'account_data/m.tag'))).toEqual({ tags: left });
});

test('of many tags at once at all replicas none is lost', async () => {
  const room = await alice.createRoom();
  const names = Array.from({ length: 24 }, (_, i) => `u.${i}`);
  const answers = await Promise.all(names.map((name) => setTag(room, name)));
  expect(answers.map((answer) => answer.status)).toEqual(names.map(() => 200));
  expect(Object.keys(await tags(room)).toSorted(byText)).toEqual(names.toSorted(byText));
});

test('tags keep what clients wrote beside them, and a text that is no tags is none', async () => {
  const room = await alice.createRoom();
  await alice.request('PUT', inRoom(room, 'account_data/m.tag'), { tags: { 'u.a': {} }, more: 1 });
  await setTag(room, 'u.b');
  expect(await alice.get(inRoom(room, 'account_data/m.tag'))).toEqual({ tags: { 'u.a': {}, 'u.b': {} }, more: 1 });
  await alice.request('PUT', inRoom(room, 'account_data/m.tag'), { tags: 'none' });
  expect(await tags(room)).toEqual({});
});

test('tags that are too long, out of order, of others or of no room are refused', async () => {
  const invalid = { status: 400, body: { errcode: 'M_INVALID_PARAM' } };
  expect(await setTag(roomId, 'é'.repeat(128))).toMatchObject(invalid);
  expect(await setTag(roomId, 'u.x', { order: 2 })).toMatchObject(invalid);
  expect(await setTag('nonsense', 'u.x')).toMatchObject(invalid);
  expect(await setTag('!none:test', 'u.x')).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  const carol = await newClient(server);
  expect(await carol.request('GET', inRoom(roomId, 'tags'))).toMatchObject({
    status: 403,
    body: { errcode: 'M_FORBIDDEN' },
  });
});

const ODD_KEYS = ['\n', '"', '\u0001', '__proto__', 'constructor'];

/** As the answer has them: zod would leave `__proto__` out. */
async function tagNames(room: string): Promise<string[]> {
  const answer = parseJsonObject(JSON.stringify(await alice.get(inRoom(room, 'tags'))));
  return Object.keys(ownObject(answer, 'tags') ?? {});
}

test('names that need escapes, and those that objects have by nature, are names like others in what is read to be changed', async () => {
  // What makes the engine misread the name at this place.
  for (let i = 0; i < 3; i += 1) {
    const room = await alice.createRoom();
    await alice.request('PUT', inRoom(room, 'account_data/m.tag'), { tags: { 'u.first': {}, '\\': {} } });
    await setTag(room, 'u.more');
  }
  for (const key of ODD_KEYS) {
    const room = await alice.createRoom();
    const odd = Object.fromEntries([
      ['u.first', {}],
      [key, { order: 0.5 }],
    ]);
    await alice.request('PUT', inRoom(room, 'account_data/m.tag'), { tags: odd });
    await setTag(room, 'u.more');
    expect(await tagNames(room)).toEqual(['u.first', key, 'u.more']);
    expect((await alice.request('DELETE', inRoom(room, `tags/${encodeURIComponent(key)}`))).status).toBe(200);
    expect(await tagNames(room)).toEqual(['u.first', 'u.more']);
  }
});

test('a name at the top of account data is kept whatever it is', async () => {
  const text = '{"__proto__":{"a":1},"\\n":2}';
  const options = { token: alice.user.token, rawBody: text };
  const path = `/_matrix/client/v3${global('org.example.odd')}`;
  expect((await server.request('PUT', path, options)).body).toEqual({});
  expect(JSON.stringify(await alice.get(global('org.example.odd')))).toBe(text);
});
