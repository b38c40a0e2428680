import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import * as z from 'zod';
import { parseRoomId, parseUserId } from '../../homeserver/room/identifiers.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { SyncReader } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let roomId: string;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3, spread: true });
});
afterAll(() => server.stop());
beforeEach(async () => {
  [alice, bob] = await Promise.all([newClient(server), newClient(server)]);
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
});

/** Notifications and highlights of the room, by an initial sync. */
async function unread(client: RoomClient = bob, filter: object = {}) {
  const room = (await new SyncReader(server, client).sync({ filter })).rooms.join[roomId];
  return countOf(room?.unread_notifications);
}

const countOf = (counts: Record<string, unknown> | undefined) => [
  counts?.['notification_count'],
  counts?.['highlight_count'],
];

/** `main` and each thread with something unread. */
async function byThread(client: RoomClient = bob) {
  const filter = { room: { timeline: { unread_thread_notifications: true } } };
  const room = (await new SyncReader(server, client).sync({ filter })).rooms.join[roomId];
  const threads = Object.entries(room?.unread_thread_notifications ?? {}).map(([id, counts]) => [id, countOf(counts)]);
  return { main: countOf(room?.unread_notifications), ...Object.fromEntries(threads) } as Record<string, unknown>;
}

const send = async (content: object, type = 'm.room.message', client = alice) =>
  eventIdOf(
    await client.trySend(
      roomId,
      { ...(type === 'm.room.message' && { msgtype: 'm.text', body: 'hello' }), ...content },
      { type },
    ),
  );
const relates = (rel_type: string, event_id: string, more: object = {}) => ({
  'm.relates_to': { rel_type, event_id, ...more },
});
const read = async (eventId: string, kind = 'm.read', thread?: string) => {
  const path = `/rooms/${encodeURIComponent(roomId)}/receipt/${kind}/${encodeURIComponent(eventId)}`;
  const answer = await bob.request('POST', path, thread === undefined ? {} : { thread_id: thread });
  expect(answer.status).toBe(200);
};
const setRule = async (kind: string, id: string, body: object) => {
  const path = `/pushrules/global/${kind}/${encodeURIComponent(id)}`;
  expect((await bob.request('PUT', path, body)).status).toBe(200);
};

/** Bob's display name in the room, once there is one. */
const nameOfBob = async () => {
  const { body } = await alice.getState(roomId, 'm.room.member', bob.userId);
  return z.looseObject({ displayname: z.string().optional() }).parse(body).displayname;
};

/** Many messages in few batches. */
async function sendMany(count: number): Promise<string[]> {
  const writer = server.replicas[0]?.app.writer;
  const [room, sender] = [parseRoomId(roomId), parseUserId(alice.userId)];
  if (writer === undefined || room === undefined || sender === undefined) throw new Error('nobody to send');
  const draft = { type: 'm.room.message', sender, content: { msgtype: 'm.text', body: 'one of many' } };
  const sent: string[] = [];
  while (sent.length < count) {
    const drafts = Array.from({ length: Math.min(64, count - sent.length) }, () => draft);
    sent.push(...(await writer.sendAll(room, drafts)).map((event) => event.eventId));
  }
  return sent;
}

const stored = async () =>
  (await server.replicas[0]?.app.store.db.query<{ counts: string }>({
    name: 'test_push_counters',
    text: `select c.counts from push_counters c join rooms r on r.room_no = c.room_no join users u on u.user_no = c.user_no
      where r.room_id = $1 and u.user_id = $2`,
    values: [roomId, bob.userId],
  })) ?? [];

test('messages notify, mentions highlight; notices, edits, reactions, own and redacted messages do neither', async () => {
  expect(await unread()).toEqual([0, 0]);
  const first = await send({});
  await send({ msgtype: 'm.notice' });
  await send(relates('m.replace', first));
  await send(relates('m.annotation', first, { key: 'x' }), 'm.reaction');
  await send({}, 'm.room.encrypted');
  expect(await unread()).toEqual([2, 0]);
  const mention = await send({ 'm.mentions': { user_ids: [bob.userId] } });
  await send({ 'm.mentions': { user_ids: [alice.userId] } });
  await send({ 'm.mentions': { room: true } });
  expect(await unread()).toEqual([5, 2]);
  await alice.redact(roomId, mention);
  expect(await unread()).toEqual([4, 1]);
  expect(await unread(alice)).toEqual([0, 0]);
  await send({}, 'm.room.message', bob);
  expect(await unread()).toEqual([0, 0]);
});

/** Gives Bob a name, and waits until the room knows it. */
async function rename(displayname: string): Promise<void> {
  await bob.request('PUT', `/profile/${bob.userId}/displayname`, { displayname });
  await waitFor(async () => (await nameOfBob()) === displayname || undefined, { what: 'the name' });
}

test('a text that names the user or the room is a mention, unless it says itself who is mentioned', async () => {
  const reader = new SyncReader(server, bob);
  await rename('Bob the Builder');
  await reader.next();
  const next = async () => countOf((await reader.next({ timeout: 20_000 })).rooms.join[roomId]?.unread_notifications);
  for (const body of ['nothing', 'hello bob the builder!', `${bob.userId}: look`, 'hello @room']) {
    await send({ body });
    await next();
  }
  expect(await unread()).toEqual([4, 3]);
  await send({ body: 'hello Bob the Builder', 'm.mentions': {} });
  expect(await next()).toEqual([5, 3]);
  await rename('Somebody');
  expect(await unread()).toEqual([5, 3]);
  await send({ body: 'hello Bob the Builder' });
  await send({ body: 'hello somebody' });
  expect(await unread()).toEqual([7, 4]);
  // A rule of their own that looks into messages changes nothing of it.
  await setRule('content', 'word', { pattern: 'nowhere', actions: ['notify'] });
  expect(await unread()).toEqual([7, 4]);
  const list = z.object({
    notifications: z.array(z.object({ event: z.looseObject({ content: z.object({ body: z.string() }) }) })),
  });
  const highlights = list.parse(await bob.get('/notifications?only=highlight')).notifications;
  expect(highlights.map(({ event }) => event.content.body)).toEqual([
    'hello somebody',
    'hello @room',
    `${bob.userId}: look`,
    'hello bob the builder!',
  ]);
  for (const rule of [
    'override/.m.rule.contains_display_name',
    'override/.m.rule.roomnotif',
    'content/.m.rule.contains_user_name',
  ])
    await bob.request('PUT', `/pushrules/global/${rule}/enabled`, { enabled: false });
  expect(await unread()).toEqual([7, 0]);
});

test('a text that names somebody is found among many of the same sender, by each reader', async () => {
  const carol = await newClient(server);
  await carol.join(roomId);
  await sendMany(20);
  await send({ body: `${bob.userId}: and you?` });
  await sendMany(20);
  expect(await unread(carol)).toEqual([41, 0]);
  expect(await unread()).toEqual([41, 1]);
  expect(await unread(carol)).toEqual([41, 0]);
});

test('nobody without the power notifies the whole room; what counts is the power at the event', async () => {
  const carol = await newClient(server);
  await carol.join(roomId);
  await send({ 'm.mentions': { room: true } }, 'm.room.message', carol);
  expect(await unread()).toEqual([1, 0]);
  const levels = z.looseObject({}).parse((await alice.getState(roomId, 'm.room.power_levels')).body);
  const changed = await alice.setState(roomId, 'm.room.power_levels', { ...levels, notifications: { room: 0 } });
  expect(changed.status).toBe(200);
  await send({ 'm.mentions': { room: true } }, 'm.room.message', carol);
  expect(await unread()).toEqual([2, 1]);
});

test('the newer one of a public and a private receipt says what is read, and none steps back', async () => {
  const events = await sendMany(4);
  await read(events[1] ?? '');
  expect(await unread()).toEqual([2, 0]);
  await read(events[0] ?? '', 'm.read.private');
  expect(await unread()).toEqual([2, 0]);
  await read(events[3] ?? '', 'm.read.private');
  expect(await unread()).toEqual([0, 0]);
  await send({});
  expect(await unread()).toEqual([1, 0]);
});

test('threads are counted and read apart, also through what relates to their events', async () => {
  const root = await send({});
  const first = await send(relates('m.thread', root));
  const second = await send({ ...relates('m.thread', root), 'm.mentions': { user_ids: [bob.userId] } });
  await setRule('underride', 'reactions', {
    actions: ['notify'],
    conditions: [{ kind: 'event_match', key: 'type', pattern: 'org.example.note' }],
  });
  await send(
    relates('m.reference', await send(relates('m.reference', second), 'org.example.note')),
    'org.example.note',
  );
  expect(await byThread()).toEqual({ main: [1, 0], [root]: [4, 1] });
  expect(await unread()).toEqual([5, 1]);
  await read(first, 'm.read', root);
  expect(await byThread()).toEqual({ main: [1, 0], [root]: [3, 1] });
  await read(root, 'm.read', 'main');
  expect(await byThread()).toEqual({ main: [0, 0], [root]: [3, 1] });
  await send({}, 'm.room.message', bob);
  expect(await byThread()).toEqual({ main: [0, 0], [root]: [3, 1] });
  await read(second);
  expect(await byThread()).toEqual({ main: [0, 0], [root]: [2, 0] });
  await send(relates('m.thread', root), 'm.room.message', bob);
  expect(await byThread()).toEqual({ main: [0, 0] });
});

test('the count comes with the event, and with a change of the rules or of the ignored users', async () => {
  const reader = new SyncReader(server, bob);
  await reader.next();
  const next = async (isThere: (counts: unknown[]) => boolean) =>
    waitFor(
      async () => {
        const room = (await reader.next({ timeout: 1000 })).rooms.join[roomId];
        const counts = countOf(room?.unread_notifications);
        return room !== undefined && isThere(counts) ? counts : undefined;
      },
      { what: 'the counts' },
    );
  await send({ body: 'cake for all' });
  expect(await next(() => true)).toEqual([1, 0]);
  await setRule('content', 'cake', { pattern: 'c?ke', actions: ['notify', { set_tweak: 'highlight' }] });
  expect(await next(() => true)).toEqual([1, 1]);
  await setRule('override', roomId, {
    actions: [],
    conditions: [{ kind: 'event_match', key: 'room_id', pattern: roomId }],
  });
  expect(await next(() => true)).toEqual([0, 0]);
  await bob.request('DELETE', `/pushrules/global/override/${encodeURIComponent(roomId)}`);
  expect(await next(() => true)).toEqual([1, 1]);
  const ignored = { ignored_users: { [alice.userId]: {} } };
  await bob.request('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, ignored);
  expect(await next(() => true)).toEqual([0, 0]);
});

test('what is read at another device is told also to one that wants no receipts', async () => {
  const reader = new SyncReader(server, bob);
  const filter = { room: { ephemeral: { types: [] } } };
  const next = async () => countOf((await reader.next({ filter })).rooms.join[roomId]?.unread_notifications);
  const eventId = await send({});
  expect(await next()).toEqual([1, 0]);
  await read(eventId, 'm.read.private');
  expect(await next()).toEqual([0, 0]);
  const own = await send({}, 'm.room.message', bob);
  expect(await next()).toEqual([0, 0]);
  await alice.request('POST', `/rooms/${roomId}/receipt/m.read/${own}`, {});
  expect(await next()).toEqual([undefined, undefined]);
});

test('what the filter keeps from the timeline is counted in the same answer, and is no news when it counts nothing', async () => {
  const reader = new SyncReader(server, bob);
  const filter = { room: { timeline: { types: ['org.example'] } } };
  const next = async () => countOf((await reader.next({ filter })).rooms.join[roomId]?.unread_notifications);
  expect(await next()).toEqual([0, 0]);
  await send({ msgtype: 'm.notice' });
  expect(await next()).toEqual([undefined, undefined]);
  const first = await send({});
  expect(await next()).toEqual([1, 0]);
  await send({});
  expect(await next()).toEqual([2, 0]);
  await alice.request('PUT', `/rooms/${roomId}/redact/${encodeURIComponent(first)}/t`, {});
  expect(await next()).toEqual([1, 0]);
  await send({}, 'm.room.message', bob);
  expect(await next()).toEqual([0, 0]);
});

test('rules of the own making decide: of senders, rooms, names, member counts; notices too once their rule is off', async () => {
  await send({ msgtype: 'm.notice' });
  await send({ body: 'hi Robert!' });
  expect(await unread()).toEqual([1, 0]);
  await bob.request('PUT', '/pushrules/global/override/.m.rule.suppress_notices/enabled', { enabled: false });
  expect(await unread()).toEqual([2, 0]);
  const highlight = ['notify', { set_tweak: 'highlight' }];
  await bob.request('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Robert' });
  await setRule('override', 'name', { actions: highlight, conditions: [{ kind: 'contains_display_name' }] });
  await waitFor(nameOfBob, { what: 'the name' });
  await send({ body: 'hi Robert!' });
  expect(await unread()).toEqual([3, 1]);
  await setRule('sender', alice.userId, { actions: [] });
  expect(await unread()).toEqual([1, 1]);
  await setRule('override', 'two', { actions: highlight, conditions: [{ kind: 'room_member_count', is: '2' }] });
  expect((await unread())[1]).toBeGreaterThanOrEqual(3);
  await setRule('override', 'unknown', { actions: [], conditions: [{ kind: 'org.example' }] });
  expect((await unread())[1]).toBeGreaterThanOrEqual(3);
});

test('a stay begins with its join: not with a new name, and not with the stay before', async () => {
  await send({});
  await bob.request('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Another' });
  await waitFor(nameOfBob, { what: 'the name' });
  expect(await unread()).toEqual([1, 0]);
  await bob.act('leave', roomId);
  await send({});
  await bob.join(roomId);
  expect(await unread()).toEqual([0, 0]);
  await send({});
  expect(await unread()).toEqual([1, 0]);
});

test('long counts are kept, go on from there, and are exact whatever happens to what is kept', async () => {
  const events = await sendMany(100);
  expect(await unread()).toEqual([100, 0]);
  await waitFor(async () => (await stored())[0]?.counts, { what: 'the stored count' });
  expect(await stored()).toEqual([{ counts: '{"main":[100,0]}' }]);
  const mention = await send({ 'm.mentions': { user_ids: [bob.userId] } });
  expect(await unread()).toEqual([101, 1]);
  await alice.redact(roomId, events[50] ?? '');
  expect(await unread()).toEqual([100, 1]);
  await server.replicas[0]?.app.store.db.query({
    name: 'test_push_counters_delete',
    text: 'delete from push_counters',
  });
  expect(await unread()).toEqual([100, 1]);
  await read(events[49] ?? '');
  expect(await unread()).toEqual([50, 1]);
  await sendMany(70);
  expect(await unread()).toEqual([120, 1]);
  await read(mention);
  expect(await unread()).toEqual([70, 0]);
  await send({}, 'm.room.message', bob);
  expect(await unread()).toEqual([0, 0]);
});
