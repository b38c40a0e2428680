import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2, config: { presence: { mode: 'Enabled' } } });
});
afterAll(() => server.stop());

const Event = z.looseObject({
  type: z.string(),
  room_id: z.string(),
  event_id: z.string(),
  content: z.looseObject({}),
});
const Chunk = z.object({ start: z.string(), end: z.string(), chunk: z.array(Event) });
const OldRoom = z.looseObject({
  room_id: z.string(),
  membership: z.string(),
  visibility: z.string().optional(),
  messages: Chunk.optional(),
  state: z.array(Event).default([]),
  account_data: z.array(z.looseObject({ type: z.string() })).default([]),
  invite: Event.optional(),
});
const Initial = z.object({
  end: z.string(),
  presence: z.array(z.looseObject({ sender: z.string() })),
  rooms: z.array(OldRoom),
  account_data: z.array(z.looseObject({ type: z.string() })),
});

const initialSync = async (by: RoomClient, query = '') => Initial.parse(await by.get(`/initialSync${query}`));
const events = async (by: RoomClient, query: string) => Chunk.parse(await by.get(`/events?${query}`));
const bodies = (chunk: z.infer<typeof Chunk>) => chunk.chunk.flatMap((event) => event.content['body'] ?? []);

test('an initial sync of the old kind has rooms, invites, left rooms when asked for, presence and data', async () => {
  const [alice, bob] = [await newClient(server), await newClient(server)];
  const open = await alice.createRoom({ preset: 'public_chat', visibility: 'public', name: 'open' });
  for (let i = 0; i < 5; i += 1) await alice.send(open, `message ${i}`);
  await bob.join(open);
  await bob.request('PUT', `/user/${bob.userId}/account_data/com.example.setting`, { on: true });
  await bob.request('PUT', `/user/${bob.userId}/rooms/${open}/account_data/com.example.room`, { on: true });
  await alice.request('PUT', `/presence/${alice.userId}/status`, { presence: 'online' });
  const invited = await alice.createRoom({ invite: [bob.userId] });
  const left = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(left);
  await bob.act('leave', left);
  const first = await initialSync(bob.at(1), '?limit=3');
  const room = first.rooms.find(({ room_id }) => room_id === open);
  expect(room).toMatchObject({ membership: 'join', visibility: 'public' });
  expect(room?.messages?.chunk.map((event) => [event.room_id, event.content['body'] ?? event.type])).toEqual([
    [open, 'message 3'],
    [open, 'message 4'],
    [open, 'm.room.member'],
  ]);
  expect(room?.state.some((event) => event.type === 'm.room.name' && event.room_id === open)).toBe(true);
  expect(room?.account_data).toMatchObject([{ type: 'com.example.room' }]);
  expect(first.rooms.find(({ room_id }) => room_id === invited)).toMatchObject({
    membership: 'invite',
    invite: { type: 'm.room.member', content: { membership: 'invite' } },
  });
  expect(first.rooms.map(({ room_id }) => room_id)).not.toContain(left);
  expect(first.presence.map(({ sender }) => sender)).toContain(alice.userId);
  expect(first.account_data.map(({ type }) => type)).toContain('com.example.setting');
  const all = await initialSync(bob, '?archived=true');
  expect(all.rooms.find(({ room_id }) => room_id === left)).toMatchObject({ membership: 'leave' });
});

test('the event stream goes on from a token, in order and without gaps, and waits at any replica', async () => {
  const [alice, bob] = [await newClient(server), await newClient(server)];
  const rooms = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom({ preset: 'public_chat' })];
  for (const roomId of rooms) await bob.join(roomId);
  const { end } = await initialSync(bob);
  expect(await events(bob, `from=${end}`)).toMatchObject({ start: end, chunk: [] });
  const wanted: string[] = [];
  for (let i = 0; i < 120; i += 1) {
    wanted.push(`message ${i}`);
    await alice.send(rooms[i % 2] ?? '', `message ${i}`);
  }
  const page = await events(bob.at(1), `from=${end}`);
  expect(page.chunk).toHaveLength(100);
  const rest = await events(bob, `from=${page.end}&timeout=1000`);
  expect([...bodies(page), ...bodies(rest)]).toEqual(wanted);
  const poll = events(bob.at(1), `from=${rest.end}&timeout=20000`);
  await waitFor(() => server.replicas[1]?.app.sync.notifier.waiting === 1, { what: 'the poll to wait' });
  await alice.send(rooms[0] ?? '', 'wake up');
  expect(bodies(await poll)).toEqual(['wake up']);
  expect((await bob.request('GET', '/events?from=nonsense')).body).toMatchObject({ errcode: 'M_INVALID_PARAM' });
});

test('one room can be followed by who may look into it, and only by those', async () => {
  const [alice, guest] = [await newClient(server), await newClient(server)];
  const roomId = await alice.createRoom({
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'world_readable' } }],
  });
  const { end } = await initialSync(guest);
  const other = await alice.createRoom({ preset: 'public_chat' });
  const poll = events(guest, `from=${end}&timeout=20000&room_id=${roomId}`);
  await alice.send(other, 'elsewhere');
  await alice.send(roomId, 'look here');
  expect(bodies(await poll)).toEqual(['look here']);
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'shared' });
  expect((await guest.request('GET', `/events?room_id=${roomId}`)).body).toMatchObject({ errcode: 'M_FORBIDDEN' });
});

test('whom to ask for help is published as configured, or not found', async () => {
  expect((await server.request('GET', '/.well-known/matrix/support')).status).toBe(404);
  const contacts = [{ role: 'm.role.security', matrixId: '@sec:other.example', emailAddress: 'sec@test.example' }];
  const config = { support: { contacts, page: 'https://help.test.example/' } };
  const helpful = await startHomeserver({ config });
  try {
    expect((await helpful.request('GET', '/.well-known/matrix/support')).body).toEqual({
      contacts: [{ role: 'm.role.security', matrix_id: '@sec:other.example', email_address: 'sec@test.example' }],
      support_page: 'https://help.test.example/',
    });
  } finally {
    await helpful.stop();
  }
});
