import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader, type SyncAnswer } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: SyncReader;
let roomId: string;
beforeAll(async () => {
  server = await startHomeserver();
});
afterAll(() => server.stop());
beforeEach(async () => {
  alice = await newClient(server);
  bob = new SyncReader(server, await newClient(server));
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await bob.next();
});

const LONG = 20_000;

const ephemeralOf = (answer: SyncAnswer, type: string) =>
  answer.rooms.join[roomId]?.ephemeral.events.find((event) => event.type === type)?.content;

const setTyping = (client: RoomClient, body: object) =>
  client.request('PUT', `/rooms/${roomId}/typing/${client.userId}`, body);

const receipt = (client: RoomClient, kind: string, eventId: string, body: object = {}) =>
  client.request('POST', `/rooms/${roomId}/receipt/${kind}/${eventId}`, body);

/** Syncs until an answer says something of typing. */
const typingNews = (replica: number) =>
  waitFor(async () => ephemeralOf(await bob.next({ timeout: 1000, replica }), 'm.typing'), {
    what: `typing news at replica ${replica}`,
  });

test.for([0, 1])('typing at replica 0 is told at replica %i, and so is its end', async (replica) => {
  expect((await setTyping(alice, { typing: true, timeout: LONG })).status).toBe(200);
  expect(await typingNews(replica)).toEqual({ user_ids: [alice.userId] });
  expect(ephemeralOf(await bob.next({ replica }), 'm.typing')).toBeUndefined();
  await setTyping(alice, { typing: false });
  expect(await typingNews(replica)).toEqual({ user_ids: [] });
});

test('typing ends by itself when its time is over', async () => {
  await setTyping(alice, { typing: true, timeout: 1 });
  await waitFor(
    async () => ephemeralOf(await bob.next({ timeout: 2000 }), 'm.typing')?.['user_ids']?.toString() === '',
    {
      what: 'the typing to end',
    },
  );
});

test('an initial sync tells who types now', async () => {
  await setTyping(alice, { typing: true, timeout: LONG });
  // Replicas tell each other of typing without waiting for it.
  const told = () => waitFor(async () => ephemeralOf(await bob.sync(), 'm.typing'), { what: 'the typing to be told' });
  expect(await Promise.all([told(), told()])).toEqual(Array(2).fill({ user_ids: [alice.userId] }));
});

test('a poll whose filter leaves typing out keeps waiting', async () => {
  const filter = { room: { ephemeral: { not_types: ['m.typing'] } } };
  const poll = bob.next({ timeout: 600, filter, replica: 0 });
  await waitFor(() => (server.replicas[0]?.app.sync.notifier.waiting ?? 0) > 0, { what: 'the poll to wait' });
  await setTyping(alice, { typing: true, timeout: LONG });
  expect((await poll).rooms.join).toEqual({});
});

test('only members type, and only for themselves', async () => {
  const carol = await newClient(server);
  expect(await setTyping(carol, { typing: true })).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  const path = `/rooms/${roomId}/typing/${alice.userId}`;
  expect(await bob.client.request('PUT', path, { typing: true })).toMatchObject({ status: 403 });
  expect(await bob.client.request('PUT', path, {})).toMatchObject({ status: 400 });
});

test('a receipt is told at another replica, a private one to its owner only', async () => {
  const eventId = await alice.send(roomId, 'read me');
  await Promise.all([bob.next(), bob.next({ replica: 1 })]);
  const poll = bob.next({ timeout: LONG, replica: 1 });
  expect((await receipt(alice, 'm.read', eventId)).status).toBe(200);
  expect(ephemeralOf(await poll, 'm.receipt')).toMatchObject({ [eventId]: { 'm.read': { [alice.userId]: {} } } });
  const other = await alice.send(roomId, 'and me');
  await bob.next();
  await receipt(alice, 'm.read.private', other);
  expect(ephemeralOf(await bob.next({ replica: 1 }), 'm.receipt')).toBeUndefined();
  const own = new SyncReader(server, alice);
  expect(ephemeralOf(await own.sync(), 'm.receipt')).toMatchObject({ [other]: { 'm.read.private': {} } });
});

test('receipts of a room joined later come whole', async () => {
  const eventId = await alice.send(roomId, 'old');
  await receipt(alice, 'm.read', eventId);
  const carol = new SyncReader(server, await newClient(server));
  await carol.next();
  await carol.client.join(roomId);
  expect(ephemeralOf(await carol.next(), 'm.receipt')).toMatchObject({ [eventId]: { 'm.read': {} } });
});

test('a receipt never moves backwards', async () => {
  const first = await alice.send(roomId, '1');
  const second = await alice.send(roomId, '2');
  await receipt(alice, 'm.read', second);
  expect((await receipt(alice, 'm.read', first)).status).toBe(200);
  expect(Object.keys(ephemeralOf(await bob.sync(), 'm.receipt') ?? {})).toEqual([second]);
});

test('unread messages of others are counted until they are read or answered', async () => {
  const unread = async () => (await bob.sync()).rooms.join[roomId]?.unread_notifications.notification_count;
  expect(await unread()).toBe(0);
  const first = await alice.send(roomId, '1');
  await alice.send(roomId, '2');
  expect(await unread()).toBe(2);
  await receipt(bob.client, 'm.read', first);
  expect(await unread()).toBe(1);
  await bob.client.send(roomId, 'answer');
  expect(await unread()).toBe(0);
});

test('a change of the own display name reads nothing', async () => {
  const unread = async () => (await bob.sync()).rooms.join[roomId]?.unread_notifications.notification_count;
  await receipt(bob.client, 'm.read', await alice.send(roomId, 'read'));
  await alice.send(roomId, 'unread');
  const member = { membership: 'join', displayname: 'Robert' };
  expect((await bob.client.setState(roomId, 'm.room.member', member, bob.client.userId)).status).toBe(200);
  expect(await unread()).toBe(1);
});

test('the fully read marker is account data of the room', async () => {
  const eventId = await alice.send(roomId, 'x');
  await bob.next();
  const answer = await bob.client.request('POST', `/rooms/${roomId}/read_markers`, {
    'm.fully_read': eventId,
    'm.read': eventId,
  });
  expect(answer.status).toBe(200);
  const room = (await bob.next()).rooms.join[roomId];
  expect(room?.account_data.events).toEqual([{ type: 'm.fully_read', content: { event_id: eventId } }]);
  expect(room?.ephemeral.events[0]?.content).toMatchObject({ [eventId]: { 'm.read': { [bob.client.userId]: {} } } });
});

test('either endpoint moves either mark, and one of another room moves none of those that came with it', async () => {
  const eventId = await alice.send(roomId, 'x');
  await bob.next();
  const markers = (body: object) => bob.client.request('POST', `/rooms/${roomId}/read_markers`, body);
  const elsewhere = await alice.send(await alice.createRoom(), 'elsewhere');
  const notFound = { status: 404, body: { errcode: 'M_NOT_FOUND' } };
  expect(await markers({ 'm.fully_read': elsewhere, 'm.read': eventId })).toMatchObject(notFound);
  expect((await bob.next()).rooms.join).toEqual({});
  expect((await receipt(bob.client, 'm.fully_read', eventId)).status).toBe(200);
  expect((await markers({ 'm.read.private': eventId })).status).toBe(200);
  const room = (await bob.next()).rooms.join[roomId];
  expect(room?.account_data.events).toEqual([{ type: 'm.fully_read', content: { event_id: eventId } }]);
  const told = room?.ephemeral.events.map((event) => event.content);
  expect(told).toMatchObject([{ [eventId]: { 'm.read.private': { [bob.client.userId]: {} } } }]);
  expect((await markers({})).status).toBe(200);
});

test.for([
  { name: 'an unknown event', kind: 'm.read', event: '$nothing', body: {}, status: 404 },
  { name: 'an unknown kind', kind: 'm.other', event: undefined, body: {}, status: 400 },
  { name: 'an empty thread', kind: 'm.read', event: undefined, body: { thread_id: '' }, status: 400 },
  { name: 'a thread that is no text', kind: 'm.read', event: undefined, body: { thread_id: 5 }, status: 400 },
  { name: 'a thread the event is not in', kind: 'm.read', event: undefined, body: { thread_id: '$x' }, status: 400 },
  {
    name: 'a thread for m.fully_read',
    kind: 'm.fully_read',
    event: undefined,
    body: { thread_id: 'main' },
    status: 400,
  },
])('a receipt with $name is refused', async ({ kind, event, body, status }) => {
  const eventId = event ?? (await alice.send(roomId, 'x'));
  expect(await receipt(bob.client, kind, eventId, body)).toMatchObject({ status });
});

test('receipts in a thread stand beside those of the main timeline', async () => {
  const root = await alice.send(roomId, 'root');
  const relation = { 'm.relates_to': { rel_type: 'm.thread', event_id: root } };
  const sent = await alice.trySend(roomId, { msgtype: 'm.text', body: 'in thread', ...relation });
  const inThread = eventIdOf(sent);
  expect((await receipt(alice, 'm.read', root, { thread_id: 'main' })).status).toBe(200);
  expect((await receipt(alice, 'm.read', inThread, { thread_id: root })).status).toBe(200);
  expect((await receipt(alice, 'm.read', inThread, { thread_id: 'main' })).status).toBe(400);
  const told = (await bob.sync()).rooms.join[roomId]?.ephemeral.events.map((event) => event.content);
  expect(told).toHaveLength(1);
  expect(told?.[0]).toMatchObject({
    [root]: { 'm.read': { [alice.userId]: { thread_id: 'main' } } },
    [inThread]: { 'm.read': { [alice.userId]: { thread_id: root } } },
  });
});

test('what relates to a root without being in its thread is read with either', async () => {
  const root = await alice.send(roomId, 'root');
  const referring = { msgtype: 'm.text', body: 're', 'm.relates_to': { rel_type: 'm.reference', event_id: root } };
  const reference = eventIdOf(await alice.trySend(roomId, referring));
  const reacting = { 'm.relates_to': { rel_type: 'm.annotation', event_id: reference, key: '+' } };
  const reaction = eventIdOf(await alice.trySend(roomId, reacting, { type: 'm.reaction' }));
  const other = await alice.send(roomId, 'elsewhere');
  for (const thread_id of [root, 'main'])
    expect((await receipt(alice, 'm.read', reaction, { thread_id })).status).toBe(200);
  expect((await receipt(alice, 'm.read', other, { thread_id: root })).status).toBe(400);
});

test('receipts of one user on one event in two threads are both told', async () => {
  const eventId = await alice.send(roomId, 'read me');
  await receipt(alice, 'm.read', eventId);
  await receipt(alice, 'm.read', eventId, { thread_id: 'main' });
  const events = (await bob.sync()).rooms.join[roomId]?.ephemeral.events ?? [];
  const told = events.filter((event) => event.type === 'm.receipt').map((event) => event.content);
  expect(told).toMatchObject([
    { [eventId]: { 'm.read': { [alice.userId]: {} } } },
    { [eventId]: { 'm.read': { [alice.userId]: { thread_id: 'main' } } } },
  ]);
  expect(JSON.stringify(told[0])).not.toContain('thread_id');
});
