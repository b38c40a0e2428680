import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let roomId: string;
let eventIds: string[];
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4 });
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
  await alice.request('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
  roomId = await alice.createRoom({ preset: 'public_chat' });
  eventIds = [];
  for (let i = 0; i < 12; i += 1) eventIds.push(await alice.send(roomId, `${i}`));
});
afterAll(() => server.stop());

const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => String(from + i));
const reader = () => new SyncReader(server, alice);

test('pages backwards and forwards meet without a gap or an overlap', async () => {
  const back = await reader().messages(roomId, { dir: 'b', limit: '5' });
  expect(bodiesOf(back.chunk)).toEqual(numbers(7, 12).toReversed());
  const further = await reader().messages(roomId, { dir: 'b', from: back.end ?? '', limit: '4' });
  expect(bodiesOf(further.chunk)).toEqual(numbers(3, 7).toReversed());
  const forward = await reader().messages(roomId, { dir: 'f', from: further.end ?? '', to: back.end ?? '' });
  expect(bodiesOf(forward.chunk)).toEqual(numbers(3, 7));
  const toEnd = await reader().messages(roomId, { dir: 'f', from: back.end ?? '', limit: '50' });
  expect(bodiesOf(toEnd.chunk)).toEqual(numbers(7, 12));
  expect(toEnd.end).toBeUndefined();
});

test('the beginning of the room is the last page back and the first page forward', async () => {
  const all = await reader().messages(roomId, { dir: 'b', limit: '1000' });
  expect(all.end).toBeUndefined();
  expect(all.chunk.at(-1)?.type).toBe('m.room.create');
  const first = await reader().messages(roomId, { dir: 'f', limit: '1' });
  expect(first.chunk.map((event) => event.type)).toEqual(['m.room.create']);
  expect(first.chunk[0]).toMatchObject({ room_id: roomId });
});

test('a filter of /messages is applied before the limit', async () => {
  const filter = JSON.stringify({ types: ['m.room.create'], not_senders: [bob.userId] });
  const page = await reader().messages(roomId, { dir: 'b', limit: '1', filter });
  expect(page.chunk.map((event) => event.type)).toEqual(['m.room.create']);
});

test.for(['dir=x', 'dir=b&from=nonsense', 'dir=b&limit=-1', 'dir=b&filter=5', 'limit=3'])(
  '/messages with %s is refused',
  async (query) => {
    const answer = await alice.request('GET', `/rooms/${roomId}/messages?${query}`);
    expect(answer.status).toBe(400);
  },
);

test('the context of an event is what stands around it', async () => {
  const answer = await alice.request('GET', `/rooms/${roomId}/context/${eventIds[6]}?limit=4`);
  const Context = z.object({
    start: z.string(),
    end: z.string(),
    event: z.looseObject({ event_id: z.string() }),
    events_before: z.array(z.looseObject({ content: z.looseObject({ body: z.string() }) })),
    events_after: z.array(z.looseObject({ content: z.looseObject({ body: z.string() }) })),
    state: z.array(z.looseObject({ type: z.string() })),
  });
  const context = Context.parse(answer.body);
  expect(context.event.event_id).toBe(eventIds[6]);
  expect(context.events_before.map((event) => event.content.body)).toEqual(['5', '4']);
  expect(context.events_after.map((event) => event.content.body)).toEqual(['7', '8']);
  expect(context.state.map((event) => event.type)).toContain('m.room.create');
  const before = await reader().messages(roomId, { dir: 'b', from: context.start, limit: '1' });
  const after = await reader().messages(roomId, { dir: 'f', from: context.end, limit: '1' });
  expect(bodiesOf([...before.chunk, ...after.chunk])).toEqual(['3', '9']);
});

test('an event is found by its id in its own room only', async () => {
  const other = await alice.createRoom({});
  const path = (room: string, id = eventIds[0]) => `/rooms/${room}/event/${id}`;
  expect((await alice.request('GET', path(roomId))).body).toMatchObject({ event_id: eventIds[0], room_id: roomId });
  expect(await alice.request('GET', path(other))).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  expect(await alice.request('GET', path(roomId, '$no'))).toMatchObject({ status: 404 });
});

const Members = z.object({ chunk: z.array(z.looseObject({ state_key: z.string(), room_id: z.string() })) });

async function membersOf(client: RoomClient, room: string, query = ''): Promise<string[]> {
  const answer = await client.request('GET', `/rooms/${room}/members?${query}`);
  if (answer.status !== 200) throw new Error(JSON.stringify(answer.body));
  return Members.parse(answer.body).chunk.map((event) => event.state_key);
}

test('members are given by membership, at a point, and for one who left as they stood then', async () => {
  const carol = await newClient(server);
  const room = await alice.createRoom({ preset: 'public_chat', invite: [carol.userId] });
  const before = (await reader().sync()).next_batch;
  await bob.join(room);
  expect(await membersOf(alice, room)).toEqual([alice.userId, carol.userId, bob.userId]);
  expect(await membersOf(alice, room, 'membership=invite')).toEqual([carol.userId]);
  expect(await membersOf(alice, room, 'not_membership=join')).toEqual([carol.userId]);
  expect(await membersOf(alice, room, `at=${before}`)).toEqual([alice.userId, carol.userId]);
  await bob.act('leave', room);
  await carol.join(room);
  expect(await membersOf(bob, room, 'membership=join')).toEqual([alice.userId]);
  expect(await membersOf(alice, room, 'membership=join')).toEqual([alice.userId, carol.userId]);
});

test('members at the beginning of the timeline are those who began the room', async () => {
  const room = await alice.createRoom({ preset: 'public_chat' });
  const began = (await new SyncReader(server, alice).sync()).rooms.join[room]?.timeline.prev_batch ?? '';
  await bob.join(room);
  expect(await membersOf(alice, room, `at=${began}`)).toEqual([alice.userId]);
});

test('joined members come with their profiles', async () => {
  expect((await alice.request('GET', `/rooms/${roomId}/joined_members`)).body).toEqual({
    joined: { [alice.userId]: { display_name: 'Alice', avatar_url: null } },
  });
});

test('joined rooms are those that were joined and not left', async () => {
  const dave = await newClient(server);
  const stay = await dave.createRoom({});
  const leave = await dave.createRoom({});
  await dave.act('leave', leave);
  expect((await dave.request('GET', '/joined_rooms')).body).toEqual({ joined_rooms: [stay] });
});

test('account data is read back, and told to the devices of its user', async () => {
  const dave = new SyncReader(server, await newClient(server));
  const room = await dave.client.createRoom({});
  await dave.next();
  const global = `/user/${dave.client.userId}/account_data/com.example.a`;
  const local = `/user/${dave.client.userId}/rooms/${room}/account_data/com.example.b`;
  await dave.client.request('PUT', global, { g: 1 });
  await dave.client.request('PUT', local, { l: 2 });
  expect((await dave.client.request('GET', global)).body).toEqual({ g: 1 });
  expect((await dave.client.request('GET', local)).body).toEqual({ l: 2 });
  const answer = await dave.next();
  expect(answer.account_data.events).toEqual([{ type: 'com.example.a', content: { g: 1 } }]);
  expect(answer.rooms.join[room]?.account_data.events).toEqual([{ type: 'com.example.b', content: { l: 2 } }]);
  expect(answer.rooms.join[room]?.timeline.events).toEqual([]);
  const initial = await dave.sync();
  expect(initial.account_data.events.map((event) => event.type)).toEqual(['m.push_rules', 'com.example.a']);
});

test.for([
  { name: 'another user', path: '/user/@bob:test.example/account_data/x', method: 'PUT', status: 403 },
  {
    name: 'a type of the server',
    path: '/user/@alice:test.example/account_data/m.push_rules',
    method: 'PUT',
    status: 405,
  },
  {
    name: 'm.fully_read',
    path: '/user/@alice:test.example/rooms/ROOM/account_data/m.fully_read',
    method: 'PUT',
    status: 405,
  },
  {
    name: 'a wrong room id',
    path: '/user/@alice:test.example/rooms/nonsense/account_data/x',
    method: 'PUT',
    status: 400,
  },
  {
    name: 'nothing there',
    path: '/user/@alice:test.example/account_data/com.example.none',
    method: 'GET',
    status: 404,
  },
])('account data: $name is refused', async ({ path, method, status }) => {
  const answer = await alice.request(method, path.replace('ROOM', roomId), method === 'PUT' ? {} : undefined);
  expect(answer.status).toBe(status);
});

test('push rules are the predefined ones, in both places', async () => {
  const rules = await alice.request('GET', '/pushrules/');
  const { global } = z.looseObject({ global: z.looseObject({ override: z.array(z.unknown()) }) }).parse(rules.body);
  expect(global.override).not.toEqual([]);
  expect((await alice.request('GET', '/pushrules/global/')).body).toEqual(global);
  expect((await alice.request('GET', `/user/${alice.userId}/account_data/m.push_rules`)).body).toEqual(rules.body);
});
