import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText } from '../support/sync-reader.ts';

let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  [alice, bob] = await Promise.all([newClient(server, 'alice'), newClient(server, 'bob')]);
});
afterAll(() => server.stop());

const Event = z.looseObject({ event_id: z.string(), room_id: z.string(), content: z.looseObject({}) });
const Group = z.looseObject({ results: z.array(z.string()), next_batch: z.string().optional() });
const Found = z.looseObject({
  count: z.number(),
  highlights: z.array(z.string()),
  results: z.array(
    z.looseObject({
      rank: z.number(),
      result: Event,
      context: z.looseObject({ events_before: z.array(Event), events_after: z.array(Event) }).optional(),
    }),
  ),
  groups: z.record(z.string(), z.record(z.string(), Group)).optional(),
  state: z.record(z.string(), z.array(z.looseObject({ type: z.string() }))).optional(),
  next_batch: z.string().optional(),
});
type Found = z.infer<typeof Found>;
const Answer = z.looseObject({ search_categories: z.looseObject({ room_events: Found }) });

const ask = (client: RoomClient, term: string, more: object = {}, from?: string) =>
  client.request('POST', `/search${from === undefined ? '' : `?next_batch=${encodeURIComponent(from)}`}`, {
    search_categories: { room_events: { search_term: term, order_by: 'recent', ...more } },
  });
const search = async (client: RoomClient, term: string, more: object = {}, from?: string): Promise<Found> =>
  Answer.parse((await ask(client, term, more, from)).body).search_categories.room_events;
const idsOf = (found: Found) => found.results.map(({ result }) => result.event_id);

test('words are found in messages, names and topics of rooms that the reader is in, at once and at any replica', async () => {
  const roomId = await alice.createRoom({ name: 'Quince garden', topic: 'All about the quince' });
  const message = await alice.send(roomId, 'A Quince is no apple');
  const secret = await bob.createRoom();
  await bob.send(secret, 'my own quince');
  const found = await search(alice, 'quince');
  expect(found.results).toHaveLength(3);
  expect(found).toMatchObject({ count: 3, highlights: ['quince'] });
  expect(found.results.map(({ result }) => result.room_id)).toEqual([roomId, roomId, roomId]);
  expect(idsOf(await search(alice, 'quince', { keys: ['content.body'] }))).toEqual([message]);
  expect(idsOf(await search(alice, 'quince apple'))).toEqual([message]);
  expect(idsOf(await search(alice, 'quince -apple'))).toHaveLength(2);
  expect(idsOf(await search(alice, 'medlar'))).toEqual([]);
  expect(idsOf(await search(alice, ''))).toEqual([]);
});

test.for(['recent', 'rank'])('phrases are found as they stand, ordered by %s', async (order) => {
  const roomId = await alice.createRoom();
  const word = `phrased${order}`;
  const straight = await alice.send(roomId, `${word} upon a \u0001time, \\u0041`);
  const turned = await alice.send(roomId, `upon ${word}`);
  const ids = async (term: string) => idsOf(await search(alice, term, { order_by: order })).toSorted(byText);
  expect(await ids(`"${word} upon"`)).toEqual([straight]);
  expect(await ids(`"upon a time" ${word}`)).toEqual([straight]);
  expect(await ids(`${word} -"${word} upon"`)).toEqual([turned]);
  expect(await ids(`${word} upon`)).toEqual([straight, turned].toSorted(byText));
  expect(await ids(`"upon ${word}" or "a time" ${word}`)).toEqual([straight, turned].toSorted(byText));
  expect(await search(alice, `"${word} upon"`, { order_by: order })).toMatchObject({ count: 1 });
});

test.for(['recent', 'rank'])('pages ordered by %s give every hit once', async (order) => {
  const roomId = await alice.createRoom();
  const word = `paged${order}`;
  const sent: string[] = [];
  for (let i = 0; i < 5; i += 1) sent.push(await alice.send(roomId, `${word} `.repeat(i + 1)));
  const options = { order_by: order, filter: { limit: 2 } };
  const first = await search(alice, word, options);
  await alice.send(roomId, `${word} `.repeat(9));
  const second = await search(alice, word, options, first.next_batch);
  const third = await search(alice, word, options, second.next_batch);
  expect(third.next_batch).toBeUndefined();
  expect([...idsOf(first), ...idsOf(second), ...idsOf(third)]).toEqual(sent.toReversed());
});

test('filters by room, sender and kind of event are kept to', async () => {
  const [first, second] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  await bob.join(first);
  const a = await alice.send(first, 'filtered fig');
  const b = await bob.send(first, 'filtered fig');
  const c = await alice.send(second, 'filtered fig');
  const ids = async (filter: object) => idsOf(await search(alice, 'fig', { filter })).toSorted(byText);
  expect(await ids({ rooms: [first] })).toEqual([a, b].toSorted(byText));
  expect(await ids({ not_rooms: [first] })).toEqual([c]);
  expect(await ids({ senders: [bob.userId] })).toEqual([b]);
  expect(await ids({ not_types: ['m.room.message'] })).toEqual([]);
});

test('what the reader may not see, came after they left, or was redacted is not found', async () => {
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    initial_state: [{ type: 'm.room.history_visibility', content: { history_visibility: 'joined' } }],
  });
  await alice.send(roomId, 'hidden sloe');
  await bob.join(roomId);
  const seen = await alice.send(roomId, 'visible sloe');
  const gone = await alice.send(roomId, 'redacted sloe');
  expect(idsOf(await search(bob, 'sloe'))).toEqual([gone, seen]);
  await alice.redact(roomId, gone);
  expect(idsOf(await search(bob, 'sloe'))).toEqual([seen]);
  expect(idsOf(await search(alice, 'redacted'))).toEqual([]);
  await bob.act('leave', roomId);
  const later = await alice.send(roomId, 'later sloe');
  expect(await search(bob, 'sloe')).toMatchObject({ count: 1, results: [{ result: { event_id: seen } }] });
  expect(idsOf(await search(alice, 'sloe'))).toContain(later);
  await bob.act('forget', roomId);
  expect(idsOf(await search(bob, 'sloe'))).toEqual([]);
});

test('of a room that the reader has left, what is around a result and the state are those up to there', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat', name: 'Before' });
  await bob.join(roomId);
  const hit = await alice.send(roomId, 'the last medlar');
  await bob.act('leave', roomId);
  await alice.setState(roomId, 'm.room.name', { name: 'After' });
  await alice.setState(roomId, 'm.room.history_visibility', { history_visibility: 'world_readable' });
  await alice.send(roomId, 'a medlar for all');
  const found = await search(bob, 'medlar', { event_context: {}, include_state: true });
  expect(idsOf(found)).toEqual([hit]);
  const [left, ...more] = found.results[0]?.context?.events_after ?? [];
  expect(left).toMatchObject({ type: 'm.room.member', content: { membership: 'leave' } });
  expect(more).toEqual([]);
  expect(found.state?.[roomId]?.find((event) => event.type === 'm.room.name')).toMatchObject({
    content: { name: 'Before' },
  });
});

test('encrypted rooms and what ignored users sent are not searched', async () => {
  const [open, closed] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  await alice.send(closed, 'an elderberry in the clear');
  await alice.setState(closed, 'm.room.encryption', { algorithm: 'm.megolm.v1.aes-sha2' });
  const carol = await newClient(server);
  await bob.join(open);
  await carol.join(open);
  const [heard, unheard] = [await alice.send(open, 'elderberry'), await bob.send(open, 'elderberry')];
  expect(idsOf(await search(alice, 'elderberry'))).toEqual([unheard, heard]);
  await carol.request('PUT', `/user/${carol.userId}/account_data/m.ignored_user_list`, {
    ignored_users: { [bob.userId]: {} },
  });
  const found = await search(carol, 'elderberry', { event_context: {} });
  expect(idsOf(found)).toEqual([heard]);
  expect(found.results[0]?.context?.events_after).toEqual([]);
});

test('the plain text of a topic in its newer form is searched too', async () => {
  const roomId = await alice.createRoom();
  await alice.setState(roomId, 'm.room.topic', {
    topic: 'old',
    'm.topic': {
      'm.text': [
        { mimetype: 'text/html', body: '<b>mirabelle</b> unseen' },
        { mimetype: 'text/plain', body: 'all about the mirabelle' },
      ],
    },
  });
  expect(idsOf(await search(alice, 'mirabelle', { keys: ['content.topic'] }))).toHaveLength(1);
  expect(idsOf(await search(alice, 'unseen'))).toEqual([]);
});

test.for(['recent', 'rank'])('the token of a group leads to more of that group, ordered by %s', async (order) => {
  const [first, second] = [await alice.createRoom({ preset: 'public_chat' }), await alice.createRoom()];
  await bob.join(first);
  const word = `grouped${order}`;
  const ofBob = [await bob.send(first, word), await bob.send(first, word)];
  for (const roomId of [first, second, first, second]) await alice.send(roomId, word);
  await bob.send(first, word);
  const options = {
    order_by: order,
    filter: { limit: 2 },
    groupings: { group_by: [{ key: 'sender' }, { key: 'room_id' }] },
  };
  const page = await search(alice, word, options);
  const more = await search(alice, word, options, page.groups?.['sender']?.[bob.userId]?.next_batch);
  expect(idsOf(more)).toEqual(ofBob.toReversed());
  expect(Object.keys(more.groups?.['room_id'] ?? {})).toEqual([first]);
  expect(idsOf(await search(alice, word, options, more.next_batch))).toEqual([]);
  const inRoom = await search(alice, word, options, page.groups?.['room_id']?.[first]?.next_batch);
  expect(inRoom.results.map(({ result }) => result.room_id)).toEqual([first, first]);
});

test('results come with what is around them, profiles, state and groups when asked for', async () => {
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
  await bob.request('PUT', `/profile/${bob.userId}/displayname`, { displayname: 'Bob B.' });
  const before = await alice.send(roomId, 'earlier');
  const hit = await bob.send(roomId, 'a single durian');
  const after = await alice.send(roomId, 'later');
  const found = await search(alice, 'durian', {
    event_context: { before_limit: 1, after_limit: 1, include_profile: true },
    include_state: true,
    groupings: { group_by: [{ key: 'room_id' }, { key: 'sender' }] },
  });
  const context = found.results[0]?.context;
  expect(context?.events_before.map((event) => event.event_id)).toEqual([before]);
  expect(context?.events_after.map((event) => event.event_id)).toEqual([after]);
  expect(context).toMatchObject({ profile_info: { [bob.userId]: { displayname: 'Bob B.' }, [alice.userId]: {} } });
  expect(found.groups?.['room_id']).toMatchObject({ [roomId]: { results: [hit] } });
  expect(found.groups?.['sender']).toMatchObject({ [bob.userId]: { results: [hit] } });
  expect(found.state?.[roomId]?.map((event) => event.type)).toContain('m.room.create');
});

const refused = [
  { name: 'a token of another order', more: {}, from: 'rank_1_1' },
  { name: 'a token of elsewhere', more: {}, from: 'nonsense' },
  { name: 'an unknown key', more: { keys: ['content.secret'] }, from: undefined },
  { name: 'an unknown order', more: { order_by: 'mood' }, from: undefined },
];
test.for(refused)('a search with $name is refused', async ({ more, from }) => {
  expect(await ask(alice, 'x', more, from)).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test('a search of no category finds nothing, and odd words do no harm', async () => {
  const answer = await alice.request('POST', '/search', { search_categories: {} });
  expect(answer).toMatchObject({ status: 200, body: { search_categories: {} } });
  for (const term of ["'; drop table events; --", '\u0001', '(((', '"', 'a & | ! b', '\ud83d\ude00'])
    expect((await ask(alice, term)).status).toBe(200);
});
