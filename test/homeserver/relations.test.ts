import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { statementsDuring } from '../support/count-statements.ts';
import { SyncReader } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 4 });
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const Event = z.looseObject({
  event_id: z.string(),
  unsigned: z.looseObject({ 'm.relations': z.unknown().optional() }).optional(),
});
const Relations = z.looseObject({
  chunk: z.array(Event),
  next_batch: z.string().optional(),
  prev_batch: z.string().optional(),
  recursion_depth: z.number().optional(),
});

async function newRoom(more: object = {}): Promise<string> {
  const roomId = await alice.createRoom({ preset: 'public_chat', ...more });
  await bob.join(roomId);
  return roomId;
}

const relate = async (
  client: RoomClient,
  roomId: string,
  relation: object,
  { type = 'm.room.message', ...content }: { type?: string; [key: string]: unknown } = {},
) =>
  eventIdOf(
    await client.trySend(
      roomId,
      { msgtype: 'm.text', body: 'related', ...content, 'm.relates_to': relation },
      { type },
    ),
  );
const to = (eventId: string, relType: string, more: object = {}) => ({ rel_type: relType, event_id: eventId, ...more });
const react = (client: RoomClient, roomId: string, eventId: string, key: string) =>
  relate(client, roomId, to(eventId, 'm.annotation', { key }), { type: 'm.reaction' });
const edit = (client: RoomClient, roomId: string, eventId: string, body: string) =>
  relate(client, roomId, to(eventId, 'm.replace'), { body: `* ${body}`, 'm.new_content': { msgtype: 'm.text', body } });

const pathOf = (roomId: string, eventId: string, suffix = '', params: Record<string, string> = {}) =>
  `/_matrix/client/v1/rooms/${encodeURIComponent(roomId)}/relations/${encodeURIComponent(eventId)}${suffix}?${new URLSearchParams(params).toString()}`;
const relations = async (roomId: string, eventId: string, suffix = '', params: Record<string, string> = {}) =>
  Relations.parse(await bob.get(pathOf(roomId, eventId, suffix, params)));
const idsOf = (answer: z.infer<typeof Relations>) => answer.chunk.map((event) => event.event_id);
const bundleOf = async (client: RoomClient, roomId: string, eventId: string) =>
  Event.parse(await client.get(`/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`)).unsigned?.[
    'm.relations'
  ];

test('what relates to an event is found by type of relation and by type of event, in both directions', async () => {
  const roomId = await newRoom();
  const parent = await alice.send(roomId, 'parent');
  const thumb = await react(alice, roomId, parent, '👍');
  const reference = await relate(bob, roomId, to(parent, 'm.reference'));
  const own = await relate(bob, roomId, to(parent, 'org.example.own'));
  await relate(bob, roomId, to(parent, 'org.example.other'));
  expect(idsOf(await relations(roomId, parent))).toHaveLength(4);
  expect(idsOf(await relations(roomId, parent, '/m.annotation'))).toEqual([thumb]);
  expect(idsOf(await relations(roomId, parent, '/m.reference/m.room.message'))).toEqual([reference]);
  expect(idsOf(await relations(roomId, parent, '/m.reference/m.reaction'))).toEqual([]);
  expect(idsOf(await relations(roomId, parent, '/m.reference/org.example.never'))).toEqual([]);
  expect(idsOf(await relations(roomId, parent, '/org.example.own'))).toEqual([own]);
  expect(idsOf(await relations(roomId, parent, '', { dir: 'f', limit: '2' }))).toEqual([thumb, reference]);
});

test.for(['b', 'f'])('pages in direction %s give everything once', async (dir) => {
  const roomId = await newRoom();
  const parent = await alice.send(roomId, 'parent');
  const sent: string[] = [];
  for (let i = 0; i < 5; i += 1) sent.push(await relate(i % 2 === 0 ? alice : bob, roomId, to(parent, 'm.reference')));
  const first = await relations(roomId, parent, '', { dir, limit: '2' });
  const second = await relations(roomId, parent, '', { dir, limit: '2', from: first.next_batch ?? '' });
  const third = await relations(roomId, parent, '', { dir, limit: '2', from: second.next_batch ?? '' });
  expect(second.prev_batch).toBe(first.next_batch);
  expect(third.next_batch).toBeUndefined();
  const all = [...idsOf(first), ...idsOf(second), ...idsOf(third)];
  expect(all).toEqual(dir === 'f' ? sent : sent.toReversed());
  const upTo = { dir, limit: '9', to: second.next_batch ?? '' };
  expect(idsOf(await relations(roomId, parent, '', upTo))).toEqual(all.slice(0, 4));
});

test('recursion finds what relates to what relates, and only through relations that are wanted', async () => {
  const roomId = await newRoom();
  const root = await alice.send(roomId, 'root');
  const threaded = await relate(bob, roomId, to(root, 'm.thread'));
  const reaction = await react(alice, roomId, threaded, '👍');
  expect(idsOf(await relations(roomId, root))).toEqual([threaded]);
  const deep = await relations(roomId, root, '', { recurse: 'true' });
  expect(idsOf(deep)).toEqual([reaction, threaded]);
  expect(deep.recursion_depth).toBeGreaterThanOrEqual(3);
  expect(idsOf(await relations(roomId, root, '/m.annotation', { recurse: 'true' }))).toEqual([]);
});

test('a redacted event relates to nothing', async () => {
  const roomId = await newRoom();
  const parent = await alice.send(roomId, 'parent');
  const reaction = await react(bob, roomId, parent, '👍');
  await bob.redact(roomId, reaction);
  expect(idsOf(await relations(roomId, parent))).toEqual([]);
});

test('who may not see the parent is told of nothing, nor who may not see the child', async () => {
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
  });
  const hidden = await alice.send(roomId, 'before');
  expect(await bob.request('GET', pathOf(roomId, hidden))).toMatchObject({ status: 403 });
  await bob.join(roomId);
  expect(await bob.request('GET', pathOf(roomId, hidden))).toMatchObject({
    status: 404,
    body: { errcode: 'M_NOT_FOUND' },
  });
  const parent = await alice.send(roomId, 'seen');
  await bob.act('leave', roomId);
  await relate(alice, roomId, to(parent, 'm.reference'));
  await edit(alice, roomId, parent, 'changed');
  expect(idsOf(await relations(roomId, parent))).toEqual([]);
  expect(await bundleOf(bob, roomId, parent)).toBeUndefined();
});

test.for([{ from: 'nonsense' }, { to: 'nonsense' }, { dir: 'x' }, { limit: '0' }])('%o is refused', async (params) => {
  const roomId = await newRoom();
  const parent = await alice.send(roomId, 'parent');
  expect(await bob.request('GET', pathOf(roomId, parent, '', params))).toMatchObject({
    status: 400,
    body: { errcode: 'M_INVALID_PARAM' },
  });
});

test('the newest edit by the sender is bundled, a redacted one is not, nor any with a redacted event', async () => {
  const roomId = await newRoom();
  const original = await alice.send(roomId, 'teh');
  expect(await bundleOf(bob, roomId, original)).toBeUndefined();
  const first = await edit(alice, roomId, original, 'the');
  await edit(bob, roomId, original, 'not mine');
  await relate(alice, roomId, to(original, 'm.replace'), { body: '* no new content' });
  const second = await edit(alice, roomId, original, 'The');
  const replaceId = async () =>
    z
      .looseObject({ 'm.replace': z.looseObject({ event_id: z.string(), content: z.looseObject({}) }) })
      .parse(await bundleOf(bob, roomId, original))['m.replace'].event_id;
  expect(await replaceId()).toBe(second);
  expect(await bundleOf(bob, roomId, second)).toBeUndefined();
  await alice.redact(roomId, second);
  expect(await replaceId()).toBe(first);
  await alice.redact(roomId, original);
  expect(await bundleOf(bob, roomId, original)).toBeUndefined();
});

test('references are bundled as ids', async () => {
  const roomId = await newRoom();
  const parent = await alice.send(roomId, 'parent');
  const ids = [
    await relate(bob, roomId, to(parent, 'm.reference')),
    await relate(alice, roomId, to(parent, 'm.reference')),
  ];
  expect(await bundleOf(bob, roomId, parent)).toEqual({
    'm.reference': { chunk: ids.map((event_id) => ({ event_id })) },
  });
});

test('a thread is bundled with its newest event, whose own edit is bundled too, and with who took part', async () => {
  const roomId = await newRoom();
  const carol = await newClient(server);
  await carol.join(roomId);
  const root = await alice.send(roomId, 'root');
  await relate(bob, roomId, to(root, 'm.thread'));
  const latest = await relate(bob, roomId, to(root, 'm.thread'));
  const edited = await edit(bob, roomId, latest, 'better');
  const thread = { count: 2, current_user_participated: true, latest_event: { event_id: latest } };
  const inner = { latest_event: { unsigned: { 'm.relations': { 'm.replace': { event_id: edited } } } } };
  expect(await bundleOf(bob, roomId, root)).toMatchObject({ 'm.thread': { ...thread, ...inner } });
  expect(await bundleOf(alice, roomId, root)).toMatchObject({ 'm.thread': { current_user_participated: true } });
  expect(await bundleOf(carol, roomId, root)).toMatchObject({ 'm.thread': { current_user_participated: false } });
});

test('events of ignored users are in no bundled thread', async () => {
  const roomId = await newRoom();
  const reader = await newClient(server);
  await reader.join(roomId);
  const root = await alice.send(roomId, 'root');
  const kept = await relate(alice, roomId, to(root, 'm.thread'));
  await relate(bob, roomId, to(root, 'm.thread'));
  await reader.request('PUT', `/user/${reader.userId}/account_data/m.ignored_user_list`, {
    ignored_users: { [bob.userId]: {} },
  });
  expect(await bundleOf(reader, roomId, root)).toMatchObject({
    'm.thread': { count: 1, latest_event: { event_id: kept } },
  });
});

test('events of ignored users are no relations and no references', async () => {
  const roomId = await newRoom();
  const reader = await newClient(server);
  await reader.join(roomId);
  const parent = await alice.send(roomId, 'parent');
  const kept = await relate(alice, roomId, to(parent, 'm.reference'));
  await relate(bob, roomId, to(parent, 'm.reference'));
  await reader.request('PUT', `/user/${reader.userId}/account_data/m.ignored_user_list`, {
    ignored_users: { [bob.userId]: {} },
  });
  expect(await bundleOf(reader, roomId, parent)).toEqual({ 'm.reference': { chunk: [{ event_id: kept }] } });
  expect(idsOf(Relations.parse(await reader.get(pathOf(roomId, parent))))).toEqual([kept]);
});

test('who has left is told of the relations up to there', async () => {
  const roomId = await newRoom();
  const root = await alice.send(roomId, 'root');
  const latest = await relate(bob, roomId, to(root, 'm.thread'));
  const edited = await edit(alice, roomId, root, 'edited');
  const referring = await relate(alice, roomId, to(root, 'm.reference'));
  const bundle = {
    'm.replace': { event_id: edited },
    'm.reference': { chunk: [{ event_id: referring }] },
    'm.thread': { count: 1, latest_event: { event_id: latest } },
  };
  await bob.act('leave', roomId);
  for (const relType of ['m.thread', 'm.reference']) await relate(alice, roomId, to(root, relType));
  await edit(alice, roomId, root, 'edited again');
  expect(await bundleOf(bob, roomId, root)).toMatchObject(bundle);
  expect(await bundleOf(alice, roomId, root)).toMatchObject({ 'm.thread': { count: 2 } });
});

test('a thread does not start from an event that relates to another', async () => {
  const roomId = await newRoom();
  const root = await alice.send(roomId, 'root');
  const child = await relate(bob, roomId, to(root, 'm.thread'));
  const content = { msgtype: 'm.text', body: 'nested', 'm.relates_to': to(child, 'm.thread') };
  expect(await bob.trySend(roomId, content)).toMatchObject({ status: 400, body: { errcode: 'M_UNKNOWN' } });
});

test('messages, context, relations and a sync with a gap bundle, a sync without one does not', async () => {
  const roomId = await newRoom();
  const reader = new SyncReader(server, bob);
  await reader.next();
  const parent = await alice.send(roomId, 'parent');
  const edited = await edit(alice, roomId, parent, 'edited');
  const child = await relate(alice, roomId, to(parent, 'm.reference'));
  await edit(alice, roomId, child, 'edited too');
  const relationsOf = (events: readonly { event_id?: string | undefined }[], eventId: string) =>
    Event.parse(events.find((event) => event.event_id === eventId)).unsigned?.['m.relations'];
  const replaced = { 'm.replace': { event_id: edited } };
  const page = await reader.messages(roomId, { dir: 'b' });
  expect(relationsOf(page.chunk, parent)).toMatchObject(replaced);
  const context = z
    .looseObject({ event: Event, events_before: z.array(Event) })
    .parse(await bob.get(`/rooms/${encodeURIComponent(roomId)}/context/${encodeURIComponent(child)}`));
  expect(relationsOf(context.events_before, parent)).toMatchObject(replaced);
  expect(context.event.unsigned).toHaveProperty(['m.relations', 'm.replace']);
  const found = await relations(roomId, parent, '/m.reference');
  expect(relationsOf(found.chunk, child)).toHaveProperty('m.replace');
  const whole = (await reader.sync()).rooms.join[roomId]?.timeline;
  expect(whole?.limited).toBe(false);
  expect(relationsOf(whole?.events ?? [], parent)).toBeUndefined();
  const cut = (await reader.sync({ filter: { room: { timeline: { limit: 4 } } } })).rooms.join[roomId]?.timeline;
  expect(cut?.limited).toBe(true);
  expect(relationsOf(cut?.events ?? [], parent)).toMatchObject(replaced);
});

test('events that nothing relates to cost no statement more', async () => {
  const roomId = await newRoom();
  for (let i = 0; i < 5; i += 1) await alice.send(roomId, `plain ${i}`);
  const read = () =>
    statementsDuring(server.replicas[0], () =>
      bob.at(0).get(`/rooms/${encodeURIComponent(roomId)}/messages?dir=b&limit=5`),
    );
  await read();
  const aggregating = (await read()).filter((name) => name.startsWith('event_relations_'));
  expect(aggregating).toEqual([]);
});
