import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText } from '../support/sync-reader.ts';
import { statementsDuring } from '../support/count-statements.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const Page = z.looseObject({
  chunk: z.array(z.looseObject({ room_id: z.string(), num_joined_members: z.number() })),
  next_batch: z.string().optional(),
  prev_batch: z.string().optional(),
  total_room_count_estimate: z.number(),
});
type Page = z.infer<typeof Page>;

const visibilityPath = (roomId: string) => `/directory/list/room/${encodeURIComponent(roomId)}`;
const query = async (body: object) => Page.parse((await alice.request('POST', '/publicRooms', body)).body);
const list = async (params: Record<string, string> = {}) =>
  Page.parse(
    (await server.request('GET', `/_matrix/client/v3/publicRooms?${new URLSearchParams(params).toString()}`)).body,
  );
const idsOf = (page: Page) => page.chunk.map((room) => room.room_id);
const publish = (name: string, more: object = {}) => alice.createRoom({ visibility: 'public', name, ...more });

test('a room is published and taken out by who may set its canonical alias, and everybody sees that', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const seen = async () => (await server.request('GET', `/_matrix/client/v3${visibilityPath(roomId)}`)).body;
  expect(await seen()).toEqual({ visibility: 'private' });
  expect(await bob.request('PUT', visibilityPath(roomId), {})).toMatchObject({ status: 403 });
  expect((await alice.request('PUT', visibilityPath(roomId), {})).status).toBe(200);
  expect(await seen()).toEqual({ visibility: 'public' });
  expect(idsOf(await list())).toContain(roomId);
  expect((await alice.request('PUT', visibilityPath(roomId), { visibility: 'private' })).status).toBe(200);
  expect(await seen()).toEqual({ visibility: 'private' });
  expect(idsOf(await list())).not.toContain(roomId);
});

test('an unknown room has no visibility', async () => {
  for (const id of ['!nowhere:test.example', 'nonsense'])
    expect(await alice.request('GET', visibilityPath(id))).toMatchObject({ status: 404 });
  expect(await alice.request('PUT', visibilityPath('!nowhere:test.example'), {})).toMatchObject({ status: 404 });
});

test('the directory says of a room what its state says', async () => {
  const roomId = await publish('Cheese', {
    topic: 'Tasty',
    room_alias_name: 'cheese',
    creation_content: { type: 'm.space' },
    initial_state: [
      { type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } },
      { type: 'm.room.guest_access', content: { guest_access: 'can_join' } },
      { type: 'm.room.avatar', content: { url: 'mxc://test.example/cheese' } },
    ],
  });
  await bob.join(roomId);
  const room = (await list()).chunk.find((found) => found.room_id === roomId);
  expect(room).toEqual({
    room_id: roomId,
    name: 'Cheese',
    topic: 'Tasty',
    avatar_url: 'mxc://test.example/cheese',
    canonical_alias: '#cheese:test.example',
    join_rule: 'public',
    room_type: 'm.space',
    num_joined_members: 2,
    world_readable: true,
    guest_can_join: true,
  });
});

test('a name that was redacted is not in the directory', async () => {
  const roomId = await publish('Do not read');
  const name = (await alice.state(roomId)).find((event) => event.type === 'm.room.name');
  await alice.redact(roomId, name?.event_id ?? '');
  expect((await list()).chunk.find((found) => found.room_id === roomId)).not.toHaveProperty('name');
});

test('pages forwards and backwards give every room once, the largest first', async () => {
  const rooms = await Promise.all([1, 2, 3, 4, 5].map((i) => publish(`Paged ${i}`)));
  await bob.join(rooms[3] ?? '');
  const filter = { generic_search_term: 'paged' };
  const first = await query({ filter, limit: 2 });
  expect(idsOf(first)[0]).toBe(rooms[3]);
  expect(first.prev_batch).toBeUndefined();
  const second = await query({ filter, limit: 2, since: first.next_batch });
  const third = await query({ filter, limit: 2, since: second.next_batch });
  expect(third.next_batch).toBeUndefined();
  const all = [...idsOf(first), ...idsOf(second), ...idsOf(third)];
  expect(all).toHaveLength(5);
  expect(new Set(all)).toEqual(new Set(rooms));
  expect(idsOf(await query({ filter, limit: 2, since: second.prev_batch }))).toEqual(idsOf(first));
  const back = await query({ filter, limit: 2, since: third.prev_batch });
  expect(idsOf(back)).toEqual(idsOf(second));
  expect(idsOf(await query({ filter, limit: 2, since: back.next_batch }))).toEqual(idsOf(third));
});

test('a search looks at name, topic and alias, and at the type of the room', async () => {
  const byName = await publish('Where the KIWI grows');
  const byTopic = await publish('Fruit', { topic: 'kiwi and more' });
  const byAlias = await publish('Other', { room_alias_name: 'kiwis', creation_content: { type: 'm.space' } });
  const search = async (filter: object) => new Set(idsOf(await query({ filter })));
  expect(await search({ generic_search_term: 'kiwi' })).toEqual(new Set([byName, byTopic, byAlias]));
  expect(await search({ generic_search_term: 'kiwi', room_types: ['m.space'] })).toEqual(new Set([byAlias]));
  expect(await search({ generic_search_term: 'kiwi', room_types: [null] })).toEqual(new Set([byName, byTopic]));
  expect(await search({ generic_search_term: 'nothing is called this' })).toEqual(new Set());
});

test('rooms of another network are listed only when asked for', async () => {
  await publish('Main');
  expect(idsOf(await query({ third_party_instance_id: 'irc' }))).toEqual([]);
  expect(idsOf(await query({ include_all_networks: true })).length).toBeGreaterThan(0);
});

const refused = [
  { name: 'a token of elsewhere', path: '/publicRooms?since=nonsense', body: undefined },
  { name: 'another server', path: '/publicRooms?server=elsewhere.example', body: undefined },
  { name: 'a limit of nothing', path: '/publicRooms', body: { limit: 0 } },
  {
    name: 'one network and all at once',
    path: '/publicRooms',
    body: { include_all_networks: true, third_party_instance_id: 'a' },
  },
];
test.for(refused)('the directory refuses $name', async ({ path, body }) => {
  const answer = await alice.request(body === undefined ? 'GET' : 'POST', path, body);
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test('a page of many rooms costs as many statements as one of few', async () => {
  const count = (limit: number) =>
    statementsDuring(server.replicas[0], () =>
      server.request('GET', `/_matrix/client/v3/publicRooms?limit=${limit}`, { replica: 0 }),
    );
  await count(1);
  expect((await count(1)).toSorted(byText)).toEqual((await count(100)).toSorted(byText));
});

const summaryOf = (client: RoomClient, room: string) =>
  client.request('GET', `/_matrix/client/v1/room_summary/${encodeURIComponent(room)}`);

test('the summary of a room says what it is and what the reader is in it', async () => {
  const roomId = await publish('Summed up', { room_version: '11', room_alias_name: 'summed' });
  await alice.setState(roomId, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
  expect((await summaryOf(alice, roomId)).body).toEqual({
    room_id: roomId,
    name: 'Summed up',
    canonical_alias: '#summed:test.example',
    join_rule: 'public',
    num_joined_members: 1,
    world_readable: false,
    guest_can_join: false,
    room_version: '11',
    encryption: 'm.megolm.v1.aes-sha2',
    membership: 'join',
  });
  expect((await summaryOf(bob, '#summed:test.example')).body).toMatchObject({ membership: 'leave' });
});

test('a private room has a summary for its members, the invited and those it would let in, and for nobody else', async () => {
  const club = await alice.createRoom({ preset: 'public_chat' });
  const allow = [{ type: 'm.room_membership', room_id: club }];
  const roomId = await alice.createRoom({
    initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'restricted', allow } }],
  });
  const carol = await newClient(server);
  expect(await summaryOf(bob, roomId)).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect(await summaryOf(bob, '!nowhere:test.example')).toMatchObject({ status: 404 });
  await bob.join(club);
  expect(await summaryOf(bob, roomId)).toMatchObject({ status: 200, body: { allowed_room_ids: [club] } });
  expect((await summaryOf(carol, roomId)).status).toBe(404);
  await alice.act('invite', roomId, { user_id: carol.userId });
  expect(await summaryOf(carol, roomId)).toMatchObject({ status: 200, body: { membership: 'invite' } });
});
