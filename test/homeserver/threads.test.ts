import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const Threads = z.looseObject({
  chunk: z.array(
    z.looseObject({
      event_id: z.string(),
      content: z.looseObject({}),
      unsigned: z.looseObject({ 'm.relations': z.looseObject({ 'm.thread': z.looseObject({ count: z.number() }) }) }),
    }),
  ),
  next_batch: z.string().optional(),
});
const pathOf = (roomId: string, params: Record<string, string> = {}) =>
  `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/threads?${new URLSearchParams(params).toString()}`;
const threads = async (client: RoomClient, roomId: string, params: Record<string, string> = {}) =>
  Threads.parse(await client.get(pathOf(roomId, params)));
const idsOf = (answer: z.infer<typeof Threads>) => answer.chunk.map((event) => event.event_id);
const reply = async (client: RoomClient, roomId: string, root: string) =>
  eventIdOf(
    await client.trySend(roomId, {
      msgtype: 'm.text',
      body: 're',
      'm.relates_to': { rel_type: 'm.thread', event_id: root },
    }),
  );

async function roomWithThreads() {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const roots: string[] = [];
  for (const name of ['first', 'second', 'third']) roots.push(await alice.send(roomId, name));
  for (const root of roots) await reply(alice, roomId, root);
  return { roomId, roots };
}

test('threads are listed by their newest events, in pages', async () => {
  const { roomId, roots } = await roomWithThreads();
  await alice.send(roomId, 'no thread');
  expect(idsOf(await threads(bob, roomId))).toEqual(roots.toReversed());
  const last = await reply(bob, roomId, roots[0] ?? '');
  const order = [roots[0], roots[2], roots[1]];
  const all = await threads(bob, roomId);
  expect(idsOf(all)).toEqual(order);
  expect(all.chunk[0]?.unsigned['m.relations']['m.thread']).toMatchObject({
    count: 2,
    latest_event: { event_id: last },
  });
  const first = await threads(bob, roomId, { limit: '2' });
  const second = await threads(bob, roomId, { limit: '2', from: first.next_batch ?? '' });
  expect([...idsOf(first), ...idsOf(second)]).toEqual(order);
  expect(second.next_batch).toBeUndefined();
});

test('only threads in which the reader wrote are listed when only they are asked for', async () => {
  const { roomId, roots } = await roomWithThreads();
  await reply(bob, roomId, roots[1] ?? '');
  expect(idsOf(await threads(bob, roomId, { include: 'participated' }))).toEqual([roots[1]]);
  expect(idsOf(await threads(alice, roomId, { include: 'participated' }))).toHaveLength(3);
});

test('a thread whose events are all redacted is none', async () => {
  const roomId = await alice.createRoom();
  const root = await alice.send(roomId, 'root');
  await alice.redact(roomId, await reply(alice, roomId, root));
  expect(idsOf(await threads(alice, roomId))).toEqual([]);
});

test('the root that an ignored user sent is given without its content', async () => {
  const { roomId, roots } = await roomWithThreads();
  await reply(bob, roomId, roots[0] ?? '');
  const reader = await newClient(server);
  await reader.join(roomId);
  await reader.request('PUT', `/user/${reader.userId}/account_data/m.ignored_user_list`, {
    ignored_users: { [alice.userId]: {} },
  });
  const path = pathOf(roomId);
  const answer = z
    .looseObject({ chunk: z.array(z.looseObject({ event_id: z.string(), content: z.looseObject({}) })) })
    .parse(await reader.get(path));
  expect(answer.chunk.find((event) => event.event_id === roots[0])?.content).toEqual({});
});

test('threads are in the order of what the reader hears and was there for', async () => {
  const { roomId, roots } = await roomWithThreads();
  const reader = await newClient(server);
  await reader.join(roomId);
  await reply(bob, roomId, roots[0] ?? '');
  expect(idsOf(await threads(reader, roomId))).toEqual([roots[0], roots[2], roots[1]]);
  const ignore = (userIds: readonly string[]) =>
    reader.request('PUT', `/user/${reader.userId}/account_data/m.ignored_user_list`, {
      ignored_users: Object.fromEntries(userIds.map((userId) => [userId, {}])),
    });
  await ignore([bob.userId]);
  expect(idsOf(await threads(reader, roomId))).toEqual(roots.toReversed());
  await ignore([]);
  await reader.act('leave', roomId);
  await reply(alice, roomId, roots[1] ?? '');
  expect(idsOf(await threads(reader, roomId))).toEqual([roots[0], roots[2], roots[1]]);
});

test('threads of a room that the reader is not in, and a token of elsewhere, are refused', async () => {
  const roomId = await alice.createRoom();
  expect(await bob.request('GET', pathOf(roomId))).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  expect(await alice.request('GET', pathOf(roomId, { from: 'nonsense' }))).toMatchObject({
    status: 400,
    body: { errcode: 'M_INVALID_PARAM' },
  });
});

const counted = (count: number) => ({ highlight_count: 0, notification_count: count });

test('unread events are counted by thread when the filter asks for it, and receipts are for their threads', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  const reader = new SyncReader(server, bob, {
    filter: { room: { timeline: { unread_thread_notifications: true } } },
  });
  const counts = async () => {
    const room = (await reader.sync()).rooms.join[roomId];
    return [room?.unread_notifications, room?.unread_thread_notifications];
  };
  const root = await alice.send(roomId, 'root');
  const first = await reply(alice, roomId, root);
  const second = await reply(alice, roomId, root);
  expect(await counts()).toEqual([counted(1), { [root]: counted(2) }]);
  const read = (eventId: string, thread?: string) =>
    bob.request('POST', `/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${encodeURIComponent(eventId)}`, {
      ...(thread !== undefined && { thread_id: thread }),
    });
  expect((await read(first, root)).status).toBe(200);
  expect(await counts()).toEqual([counted(1), { [root]: counted(1) }]);
  expect((await read(root, 'main')).status).toBe(200);
  expect(await counts()).toEqual([counted(0), { [root]: counted(1) }]);
  expect((await read(second)).status).toBe(200);
  expect(await counts()).toEqual([counted(0), undefined]);
  const whole = (await reader.sync({ filter: {} })).rooms.join[roomId];
  expect(whole?.unread_thread_notifications).toBeUndefined();
});
