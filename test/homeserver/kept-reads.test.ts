import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, byText, SyncReader } from '../support/sync-reader.ts';

/** What a replica keeps of its reads is never older than what another has acknowledged. Replica 0 reads, replica 1 writes. */
let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  // No replica tells the other of its commits: what is read in time is all that keeps them together.
  server = await startHomeserver({ replicas: 2, wakeUps: 'lost' });
  [alice, bob] = [await newClient(server, 'alice'), await newClient(server, 'bob')];
});
afterAll(() => server.stop());

const Named = z.looseObject({ event_id: z.string() });
const Member = z.looseObject({ state_key: z.string(), content: z.looseObject({ displayname: z.string().optional() }) });

async function namesIn(client: RoomClient, roomId: string, query = ''): Promise<Record<string, string | undefined>> {
  const answer = await client.at(0).get(`/rooms/${encodeURIComponent(roomId)}/members?${query}`);
  const { chunk } = z.object({ chunk: z.array(Member) }).parse(answer);
  return Object.fromEntries(chunk.map(({ state_key: userId, content }) => [userId, content.displayname]));
}

const page = async (client: RoomClient, roomId: string, query: Record<string, string> = {}) =>
  (await new SyncReader(server, client).messages(roomId, { dir: 'b', limit: '5', ...query }, 0)).chunk;

async function roomOfBoth(): Promise<string> {
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  await bob.at(1).join(roomId);
  return roomId;
}

test('members that join, leave and change their names are in the next answer', async () => {
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  expect(Object.keys(await namesIn(alice, roomId))).toEqual([alice.userId]);
  await bob.at(1).join(roomId);
  expect(Object.keys(await namesIn(alice, roomId))).toEqual([alice.userId, bob.userId]);
  await bob.at(1).setState(roomId, 'm.room.member', { membership: 'join', displayname: 'Bob' }, bob.userId);
  expect(await namesIn(alice, roomId)).toEqual({ [alice.userId]: undefined, [bob.userId]: 'Bob' });
  expect(Object.keys(await namesIn(alice, roomId, 'membership=leave'))).toEqual([]);
  await bob.at(1).act('leave', roomId);
  expect(Object.keys(await namesIn(alice, roomId, 'membership=join'))).toEqual([alice.userId]);
  expect(Object.keys(await namesIn(alice, roomId, 'membership=leave'))).toEqual([bob.userId]);
});

test('a redaction takes a name out of the next list of members, a message does not have it made anew', async () => {
  const roomId = await roomOfBoth();
  const content = { membership: 'join', displayname: 'Bob' };
  const named = eventIdOf(await bob.at(1).setState(roomId, 'm.room.member', content, bob.userId));
  expect((await namesIn(alice, roomId))[bob.userId]).toBe('Bob');
  await bob.at(1).send(roomId, 'unimportant');
  const statements = await statementsDuring(server.replicas[0], () => namesIn(alice, roomId));
  expect(statements.filter((name) => name.startsWith('memberships_'))).toEqual([]);
  await bob.at(1).redact(roomId, named);
  expect(Object.keys(await namesIn(alice, roomId))).toEqual([alice.userId, bob.userId]);
  expect((await namesIn(alice, roomId))[bob.userId]).toBeUndefined();
});

test('a page of history has what was sent, redacted and related meanwhile', async () => {
  const roomId = await roomOfBoth();
  const first = await alice.at(1).send(roomId, 'first');
  expect(bodiesOf(await page(alice, roomId))).toEqual(['first']);
  const second = await alice.at(1).send(roomId, 'second');
  expect(bodiesOf(await page(alice, roomId))).toEqual(['second', 'first']);
  const thread = { msgtype: 'm.text', body: 'reply', 'm.relates_to': { rel_type: 'm.thread', event_id: first } };
  await bob.at(1).trySend(roomId, thread);
  const root = (await page(alice, roomId)).find((event) => event.event_id === first);
  expect(root?.unsigned).toMatchObject({ 'm.relations': { 'm.thread': { count: 1 } } });
  await alice.at(1).redact(roomId, second);
  expect((await page(alice, roomId)).find((event) => event.event_id === second)?.content).toEqual({});
});

test('readers of the same page each get their own transaction ids and memberships', async () => {
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  await alice.at(1).send(roomId, 'sent', 'mine');
  await bob.at(1).join(roomId);
  const told = async (client: RoomClient) => {
    const [joined, sent] = await page(client, roomId, { limit: '2' });
    return [joined?.unsigned?.['membership'], sent?.unsigned?.['membership'], sent?.unsigned?.['transaction_id']];
  };
  expect(await told(alice)).toEqual(['join', 'join', 'mine']);
  expect(await told(bob)).toEqual(['join', 'leave', undefined]);
  expect(await told(alice)).toEqual(['join', 'join', 'mine']);
});

test('what one reader has read is not shown to another who may not see it', async () => {
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  await alice.at(1).setState(roomId, 'm.room.history_visibility', { history_visibility: 'joined' });
  await alice.at(1).send(roomId, 'before bob');
  await bob.at(1).join(roomId);
  await alice.at(1).send(roomId, 'with bob');
  expect(bodiesOf(await page(alice, roomId))).toEqual(['with bob', 'before bob']);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['with bob']);
});

test('whoever is removed from a room reads no further from the next request on', async () => {
  const roomId = await roomOfBoth();
  expect(bodiesOf(await page(bob, roomId))).toEqual([]);
  await alice.at(1).act('kick', roomId, { user_id: bob.userId });
  await alice.at(1).send(roomId, 'without bob');
  expect(bodiesOf(await page(bob, roomId))).toEqual([]);
  expect(Object.keys(await namesIn(bob, roomId, 'membership=join'))).toEqual([alice.userId]);
  await alice.at(1).act('invite', roomId, { user_id: bob.userId });
  await bob.at(1).join(roomId);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['without bob']);
});

test('pages that are read again cost no statement of their own', async () => {
  const roomId = await roomOfBoth();
  await alice.at(1).send(roomId, 'hello');
  for (const reader of [alice, bob, alice]) await page(reader, roomId);
  const read = () => statementsDuring(server.replicas[0], () => Promise.all([page(alice, roomId), page(bob, roomId)]));
  expect((await read()).filter((name) => name !== 'access_tokens_select_owners')).toEqual([]);
});

test('whom a reader ignores is missing from the next page, but for state, and is back once heard again', async () => {
  const roomId = await roomOfBoth();
  const said = await alice.at(1).send(roomId, 'of alice');
  await alice.at(1).setState(roomId, 'm.room.topic', { topic: 'state' });
  const own = await bob.at(1).send(roomId, 'of bob');
  const ignore = (userIds: readonly string[]) =>
    bob.at(1).request('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, {
      ignored_users: Object.fromEntries(userIds.map((userId) => [userId, {}])),
    });
  const around = async (eventId: string) => {
    const path = `/rooms/${encodeURIComponent(roomId)}/context/${encodeURIComponent(eventId)}`;
    return z.object({ event: Named, events_before: z.array(Named) }).parse(await bob.at(0).get(path));
  };
  const types = async (dir: string) => (await page(bob, roomId, { dir, limit: '30' })).map((event) => event.type);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['of bob', 'of alice']);
  await ignore([alice.userId]);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['of bob']);
  expect((await types('b')).filter((type) => type === 'm.room.topic')).toEqual(['m.room.topic']);
  expect(await types('f')).toEqual((await types('b')).toReversed());
  expect((await around(own)).events_before.map((event) => event.event_id)).not.toContain(said);
  expect((await around(said)).event.event_id).toBe(said);
  expect(bodiesOf(await page(alice, roomId))).toEqual(['of bob', 'of alice']);
  await ignore([]);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['of bob', 'of alice']);
  expect((await around(own)).events_before.map((event) => event.event_id)).toContain(said);
});

test('an initial sync has the state, the members and the heroes as they are', async () => {
  const roomId = await roomOfBoth();
  const topic = eventIdOf(await alice.at(1).setState(roomId, 'm.room.topic', { topic: 'secret' }));
  for (let i = 0; i < 25; i += 1) await alice.at(1).send(roomId, `${i}`);
  const sync = async (client: RoomClient) => {
    const room = (await new SyncReader(server, client).sync({ replica: 0 })).rooms.join[roomId];
    const state = room?.state?.events ?? [];
    return {
      topic: state.find((event) => event.event_id === topic)?.content,
      members: state.filter((event) => event.type === 'm.room.member').map((event) => event.state_key),
      heroes: room?.summary?.['m.heroes'],
      bodies: bodiesOf(room?.timeline.events ?? []).slice(-1),
    };
  };
  const before = { topic: { topic: 'secret' }, members: [alice.userId, bob.userId], bodies: ['24'] };
  expect(await sync(alice)).toEqual({ ...before, heroes: [bob.userId] });
  expect(await sync(bob)).toEqual({ ...before, heroes: [alice.userId] });
  await alice.at(1).redact(roomId, topic);
  const carol = await newClient(server);
  await carol.at(1).join(roomId);
  for (let i = 0; i < 25; i += 1) await alice.at(1).send(roomId, `more ${i}`);
  expect(await sync(bob)).toEqual({
    topic: {},
    members: [alice.userId, bob.userId, carol.userId],
    heroes: [alice.userId, carol.userId],
    bodies: ['more 24'],
  });
});

test('what is unread is counted for each reader from the same events', async () => {
  const roomId = await roomOfBoth();
  const carol = await newClient(server);
  await carol.at(1).join(roomId);
  const sent: string[] = [];
  for (let i = 0; i < 8; i += 1) sent.push(await alice.at(1).send(roomId, `${i}`));
  const unread = async (client: RoomClient) =>
    (await new SyncReader(server, client).sync({ replica: 0 })).rooms.join[roomId]?.unread_notifications
      .notification_count;
  expect([await unread(bob), await unread(carol)]).toEqual([8, 8]);
  await bob.at(1).request('POST', `/rooms/${encodeURIComponent(roomId)}/receipt/m.read/${sent[5] ?? ''}`, {});
  expect([await unread(bob), await unread(carol)]).toEqual([2, 8]);
  await alice.at(1).redact(roomId, sent[7] ?? '');
  await alice.at(1).send(roomId, 'new');
  expect([await unread(carol), await unread(bob)]).toEqual([8, 2]);
});

/** What an initial sync of replica 0 says of a room. */
async function initially(client: RoomClient, roomId: string, filter: object = {}) {
  const { rooms } = await new SyncReader(server, client).sync({ replica: 0, filter });
  const room = rooms.join[roomId];
  return {
    section: Object.entries(rooms).find(([, section]) => section[roomId] !== undefined)?.[0],
    timeline: room?.timeline.events ?? [],
    bodies: bodiesOf(room?.timeline.events ?? []),
    members: (room?.state?.events ?? []).flatMap((event) =>
      event.type === 'm.room.member' ? [event.state_key ?? ''] : [],
    ),
    names: (room?.state?.events ?? []).filter((event) => event.type === 'm.room.name').map(({ content }) => content),
    unread: room?.unread_notifications.notification_count,
  };
}

test('initial syncs of the same second give each reader their own transaction ids and memberships', async () => {
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  await alice.at(1).send(roomId, 'sent', 'mine too');
  await bob.at(1).join(roomId);
  const told = async (client: RoomClient) => {
    const { timeline } = await initially(client, roomId);
    const sent = timeline.find((event) => event.type === 'm.room.message')?.unsigned;
    return [sent?.['membership'], sent?.['transaction_id']];
  };
  expect(await told(alice)).toEqual(['join', 'mine too']);
  expect(await told(bob)).toEqual(['leave', undefined]);
  expect(await told(alice)).toEqual(['join', 'mine too']);
});

test('a state that was just given whole is given without its members to who loads them lazily', async () => {
  const roomId = await roomOfBoth();
  const carol = await newClient(server);
  await carol.at(1).join(roomId);
  for (let i = 0; i < 25; i += 1) await alice.at(1).send(roomId, `${i}`);
  const all = [alice.userId, bob.userId, carol.userId];
  const lazy = { room: { state: { lazy_load_members: true }, timeline: { limit: 3 } } };
  expect((await initially(bob, roomId)).members).toEqual(all);
  expect((await initially(bob, roomId, lazy)).members.toSorted(byText)).toEqual(all.toSorted(byText));
  await carol.at(1).act('leave', roomId);
  await alice.at(1).send(roomId, 'last');
  const alone = { room: { state: { lazy_load_members: true }, timeline: { limit: 1 } } };
  expect((await initially(bob, roomId)).members).toEqual([alice.userId, bob.userId, carol.userId].slice(0, 3));
  expect((await initially(bob, roomId, alone)).members.toSorted(byText)).toEqual(all.slice(0, 2).toSorted(byText));
  expect((await initially(bob, roomId, { room: { state: { not_types: ['m.room.member'] } } })).members).toEqual([]);
});

test('a state whose text was just given has what changed and what was redacted since', async () => {
  const roomId = await roomOfBoth();
  const send25 = async () => {
    for (let i = 0; i < 25; i += 1) await alice.at(1).send(roomId, `${i}`);
  };
  await alice.at(1).setState(roomId, 'm.room.name', { name: 'one' });
  await send25();
  expect((await initially(bob, roomId)).names).toEqual([{ name: 'one' }]);
  const two = eventIdOf(await alice.at(1).setState(roomId, 'm.room.name', { name: 'two' }));
  await send25();
  expect((await initially(bob, roomId)).names).toEqual([{ name: 'two' }]);
  await alice.at(1).redact(roomId, two);
  expect((await initially(bob, roomId)).names).toEqual([{}]);
});

test('who has just had an initial sync is told in the next that they were banned, and others are told it too', async () => {
  const roomId = await roomOfBoth();
  await alice.at(1).send(roomId, 'before');
  expect((await initially(bob, roomId)).section).toBe('join');
  await alice.at(1).act('ban', roomId, { user_id: bob.userId });
  await alice.at(1).send(roomId, 'after');
  expect((await initially(bob, roomId)).section).toBeUndefined();
  expect((await initially(bob, roomId, { room: { include_leave: true } })).section).toBe('leave');
  expect((await initially(alice, roomId)).bodies).toEqual(['before', 'after']);
  expect(bodiesOf(await page(bob, roomId))).toEqual(['before']);
  expect(await page(alice, roomId, { limit: '1' })).toMatchObject([{ content: { body: 'after' } }]);
});

test('who ignores somebody gets none of their messages and counts from then on, others do', async () => {
  const roomId = await roomOfBoth();
  const carol = await newClient(server);
  await carol.at(1).join(roomId);
  for (let i = 0; i < 6; i += 1) await alice.at(1).send(roomId, `${i}`);
  await carol.at(1).send(roomId, 'from carol');
  expect(await initially(bob, roomId)).toMatchObject({ unread: 7 });
  const list = { ignored_users: { [carol.userId]: {} } };
  await bob.at(1).request('PUT', `/user/${bob.userId}/account_data/m.ignored_user_list`, list);
  const ignoring = await initially(bob, roomId);
  expect(ignoring.unread).toBe(6);
  expect(ignoring.bodies).not.toContain('from carol');
  expect((await initially(alice, roomId)).bodies).toContain('from carol');
});

test('messages of several people and threads are counted for each as if one by one', async () => {
  const roomId = await roomOfBoth();
  const carol = await newClient(server);
  await carol.at(1).join(roomId);
  const root = await alice.at(1).send(roomId, 'root');
  const reply = (client: RoomClient, body: string) =>
    client.at(1).trySend(roomId, { msgtype: 'm.text', body, 'm.relates_to': { rel_type: 'm.thread', event_id: root } });
  for (let i = 0; i < 3; i += 1) await alice.at(1).send(roomId, `main ${i}`);
  for (let i = 0; i < 2; i += 1) await reply(alice, `thread ${i}`);
  await carol.at(1).send(roomId, 'carol was here');
  await reply(carol, 'and here');
  const last = await alice.at(1).send(roomId, 'last');
  await reply(alice, 'last in the thread');
  const filter = { room: { timeline: { unread_thread_notifications: true } } };
  const counts = async (client: RoomClient) => {
    const room = (await new SyncReader(server, client).sync({ replica: 0, filter })).rooms.join[roomId];
    return [
      room?.unread_notifications.notification_count,
      room?.unread_thread_notifications?.[root]?.notification_count,
    ];
  };
  expect(await counts(bob)).toEqual([6, 4]);
  expect(await counts(carol)).toEqual([1, 1]);
  expect(await counts(alice)).toEqual([0, undefined]);
  await alice.at(1).redact(roomId, last);
  expect(await counts(carol)).toEqual([0, 1]);
});
