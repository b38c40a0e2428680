import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import type { ReceivedOutcome, ReceivedPdu } from '../../homeserver/pipeline/room-receiver.ts';
import { extendSearchIndex } from '../../homeserver/sync/search-index.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { RemoteRoom } from '../support/remote-room.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, byText, SyncReader, type SyncAnswer } from '../support/sync-reader.ts';

const EVE = '@eve:remote.example';
const VERSION = '11';

let server: TestHomeserver;
let client: pg.Client;
let alice: RoomClient;
let apps: readonly [App, App];
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2 });
  client = await server.database.connect();
  alice = await newClient(server);
  const [first, second] = server.replicas.map(({ app }) => app);
  if (first === undefined || second === undefined) throw new Error('two replicas were asked for');
  apps = [first, second];
});
afterAll(() => server.stop());

/** Another server's event comes in at the first replica. */
function receive(room: RemoteRoom, pdu: ReceivedPdu): Promise<ReceivedOutcome> {
  return apps[0].writer.receive(room.roomId, pdu);
}

/** A public room of @alice with @eve of another server in it, who may do nearly all. */
async function sharedRoom(): Promise<{ roomId: string; room: RemoteRoom; reader: SyncReader }> {
  const power = { users: { [alice.userId]: 100, [EVE]: 99 } };
  const roomId = await alice.createRoom({
    preset: 'public_chat',
    room_version: VERSION,
    power_level_content_override: power,
  });
  const room = new RemoteRoom(client, roomId, VERSION);
  const reader = new SyncReader(server, alice, { replica: 1 });
  await reader.next();
  expect(await receive(room, await room.join(EVE))).toMatchObject({ outcome: 'accepted' });
  return { roomId, room, reader };
}

function joinedIn(answer: SyncAnswer, roomId: string) {
  const found = answer.rooms.join[roomId];
  if (found === undefined) throw new Error('the answer does not speak of the room');
  return found;
}

test('what another server sends comes to clients of every replica, in order, and wakes those that wait', async () => {
  const { roomId, room, reader } = await sharedRoom();
  const waiting = reader.next({ timeout: 20_000 });
  const joined = joinedIn(await waiting, roomId);
  expect(joined.timeline.events.map((event) => event.state_key)).toEqual([EVE]);
  const first = await room.message(EVE, 'one');
  await receive(room, first);
  await receive(room, await room.message(EVE, 'two'));
  const sent = await alice.send(roomId, 'three');
  const news = joinedIn(await reader.next(), roomId);
  expect(bodiesOf(news.timeline.events)).toEqual(['one', 'two', 'three']);
  expect(await room.tips()).toEqual([sent]);
  expect(await receive(room, first)).toMatchObject({ outcome: 'accepted' });
  expect(bodiesOf(joinedIn(await reader.sync(), roomId).timeline.events)).toEqual(['one', 'two', 'three']);
});

test('soft-failed and rejected events are nowhere to be seen, and nothing of ours names them', async () => {
  const { roomId, room, reader } = await sharedRoom();
  const target = await alice.send(roomId, 'react to this');
  const before = await room.tips();
  const relates = { 'm.relates_to': { rel_type: 'm.thread', event_id: target } };
  const auth = await room.authOf({ type: 'm.room.message', sender: EVE, stateKey: undefined, content: {} });
  const ban = await alice.act('ban', roomId, { user_id: EVE });
  expect(ban.status).toBe(200);
  const evading = await room.message(EVE, 'unheard of', { parents: before, auth, content: relates });
  expect(await receive(room, evading)).toMatchObject({ outcome: 'soft_failed', because: expect.any(String) as string });
  const banned = await room.tips();
  const forbidden = await room.message(EVE, 'unheard of', { parents: banned, content: relates });
  expect(await receive(room, forbidden)).toMatchObject({ outcome: 'rejected' });
  expect(await receive(room, evading)).toEqual({ outcome: 'soft_failed', because: undefined });
  expect(await room.tips()).toEqual(banned);
  const last = await alice.send(roomId, 'the end');
  await searchIndexed(last);
  const ids = [evading.event.eventId, forbidden.event.eventId];
  const text = await everythingAbout({ roomId, target, last, reader });
  expect(text).toContain('the end');
  expect(text).not.toContain('unheard of');
  for (const id of ids) {
    expect(text).not.toContain(id);
    expect((await alice.request('GET', `/rooms/${roomId}/event/${id}`)).status).toBe(404);
    expect((await alice.request('GET', `/rooms/${roomId}/context/${id}`)).status).toBe(404);
    expect((await alice.redact(roomId, id)).status).toBe(404);
  }
  expect(joinedIn(await reader.sync(), roomId).unread_notifications.notification_count).toBe(0);
});

/** What the worker does every ten seconds; the row of its progress keeps the two apart. */
async function searchIndexed(eventId: string): Promise<void> {
  await extendSearchIndex((work) => apps[0].store.db.transaction(work), 100);
  const text = 'select 1 from event_search s join events e on e.position = s.position where e.event_id = $1';
  expect((await client.query(text, [eventId])).rowCount).toBe(1);
}

/** All that a client can read of a room, as one text. */
async function everythingAbout(asked: {
  roomId: string;
  target: string;
  last: string;
  reader: SyncReader;
}): Promise<string> {
  const { roomId, target, last, reader } = asked;
  const at = `/rooms/${roomId}`;
  const paths = [
    `${at}/messages?dir=b&limit=100`,
    `${at}/messages?dir=f&limit=100`,
    `${at}/context/${last}?limit=100`,
    `${at}/event/${target}`,
    `${at}/state`,
    `${at}/members`,
    `/_matrix/client/v1/rooms/${roomId}/relations/${target}`,
    `/_matrix/client/v1/rooms/${roomId}/relations/${target}?recurse=true`,
    `/_matrix/client/v1/rooms/${roomId}/threads`,
    `/_matrix/client/v1/rooms/${roomId}/timestamp_to_event?ts=${Date.now()}&dir=b`,
  ];
  const answers: unknown[] = [await reader.sync(), await reader.next(), await reader.sync({ fullState: true })];
  for (const path of paths) answers.push((await alice.at(1).request('GET', path)).body);
  const categories = { room_events: { search_term: 'unheard', filter: { rooms: [roomId] } } };
  answers.push((await alice.request('POST', '/search', { search_categories: categories })).body);
  return JSON.stringify(answers);
}

test('a join that loses against a change of another branch is taken away from everybody, and can be made again', async () => {
  const { roomId, room, reader } = await sharedRoom();
  await reader.next();
  const carol = await newClient(server);
  const before = await room.tips();
  const content = { join_rule: 'invite' };
  const closing = await room.event({ type: 'm.room.join_rules', sender: EVE, stateKey: '', content });
  expect((await carol.join(roomId)).status).toBe(200);
  const carols = new SyncReader(server, carol, { replica: 1 });
  expect(Object.keys((await carols.next()).rooms.join)).toContain(roomId);
  await alice.send(roomId, 'while carol was here');
  const [branch] = await room.tips();
  expect(closing.event.prevEvents).toEqual(before);
  expect(await receive(room, closing)).toMatchObject({ outcome: 'accepted' });
  expect(await room.tips()).toEqual([branch ?? '', closing.event.eventId].toSorted(byText));
  expect((await room.state()).has(`m.room.member ${carol.userId}`)).toBe(false);
  expect(await joinedCount(roomId)).toBe(2);
  const told = await carols.next();
  expect(told.rooms.join).toEqual({});
  expect(bodiesOf(told.rooms.leave[roomId]?.timeline.events ?? [])).toEqual(['while carol was here']);
  expect((await carols.next()).rooms.leave).toEqual({});
  expect(await carol.at(1).get('/joined_rooms')).toEqual({ joined_rooms: [] });
  expect((await carol.at(1).trySend(roomId, { msgtype: 'm.text', body: 'hello?' })).status).toBe(403);
  expect((await carol.at(1).request('GET', `/rooms/${roomId}/messages?dir=b`)).status).toBe(200);
  const merged = await alice.at(1).send(roomId, 'after it');
  expect(await room.tips()).toEqual([merged]);
  expect(await parentsOf(merged)).toEqual([branch ?? '', closing.event.eventId].toSorted(byText));
  const messages = await carols.messages(roomId, { dir: 'b', limit: '50' });
  expect(bodiesOf(messages.chunk)).toEqual(['while carol was here']);
  const news = joinedIn(await reader.next(), roomId);
  expect(bodiesOf(news.timeline.events)).toEqual(['while carol was here', 'after it']);
  expect((await carol.join(roomId)).status).toBe(403);
  expect((await alice.act('invite', roomId, { user_id: carol.userId })).status).toBe(200);
  expect((await carol.join(roomId)).status).toBe(200);
  expect(await joinedCount(roomId)).toBe(3);
  expect(Object.keys((await carols.next()).rooms.join)).toEqual([roomId]);
});

async function joinedCount(roomId: string): Promise<unknown> {
  const { rows } = await client.query<{ joined: number }>('select joined from rooms where room_id = $1', [roomId]);
  return rows[0]?.joined;
}

async function parentsOf(eventId: string): Promise<unknown> {
  const { rows } = await client.query<{ json: { prev_events: string[] } }>(
    'select json::jsonb as json from events where event_id = $1',
    [eventId],
  );
  return rows[0]?.json.prev_events.toSorted(byText);
}

test('a sync that begins after branches have met has the state that they made together', async () => {
  const { roomId, room, reader } = await sharedRoom();
  const before = await room.tips();
  const topic = (text: string, parents: readonly string[]) =>
    room.event({ type: 'm.room.topic', sender: EVE, stateKey: '', content: { topic: text }, parents });
  const name = (text: string, parents: readonly string[]) =>
    room.event({ type: 'm.room.name', sender: EVE, stateKey: '', content: { name: text }, parents });
  await receive(room, await topic('of one branch', before));
  await receive(room, await name('of the other', before));
  const stateOf = (answer: SyncAnswer) => (joinedIn(answer, roomId).state?.events ?? []).map((event) => event.type);
  const whole = await reader.next({ fullState: true, filter: { room: { timeline: { limit: 0 } } } });
  expect(stateOf(whole)).toEqual(expect.arrayContaining(['m.room.topic', 'm.room.name']));
  const talk = await room.message(EVE, 'on one branch', { parents: before });
  await receive(room, talk);
  const quiet = joinedIn(await reader.next(), roomId);
  expect(bodiesOf(quiet.timeline.events)).toEqual(['on one branch']);
  expect(quiet.state?.events).toEqual([]);
  await alice.send(roomId, 'on all');
  expect(joinedIn(await reader.next({ useStateAfter: true }), roomId).state_after?.events).toEqual([]);
  expect((await room.tips()).length).toBe(1);
});

test('a redaction from another server holds by the power of its sender, or for what its own server sent, whichever comes first', async () => {
  const { roomId, room, reader } = await sharedRoom();
  const weak = '@mallory:remote.example';
  await receive(room, await room.join(weak));
  const mine = await alice.send(roomId, 'mine');
  const said = await room.message(weak, 'said and regretted');
  await receive(room, said);
  const redact = (sender: string, redacts: string) => room.event({ type: 'm.room.redaction', sender, redacts });
  await receive(room, await redact(weak, mine));
  const parents = await room.tips();
  const later = await room.message(weak, 'not to be seen', { parents });
  const foreign = await room.message('@eve:remote.example', 'of eve', { parents });
  await receive(room, await redact(weak, said.event.eventId));
  await receive(room, await redact(weak, later.event.eventId));
  await receive(room, later);
  await receive(room, foreign);
  expect(bodiesOf((await reader.messages(roomId, { dir: 'f', limit: '50' })).chunk)).toEqual([
    'mine',
    undefined,
    undefined,
    'of eve',
  ]);
  await receive(room, await redact(EVE, mine));
  const news = joinedIn(await reader.sync(), roomId).timeline.events;
  expect(bodiesOf(news)).toEqual([undefined, undefined, undefined, 'of eve']);
});

test('outliers are known and nothing more, until they are received; those that the rules refuse authorise nothing', async () => {
  const { roomId, room, reader } = await sharedRoom();
  const weak = '@mallory:remote.example';
  const join = await room.join(weak);
  const auth = [...join.event.authEvents.slice(0, 2), join.event.eventId];
  const said = await room.message(weak, 'known already', { auth });
  const topic = { type: 'm.room.topic', sender: weak, stateKey: '', content: { topic: 'taken over' } };
  const takeover = await room.event({ ...topic, auth });
  const missing = `$${'m'.repeat(43)}`;
  const orphan = await room.message(weak, 'orphan', { auth: [...auth, missing] });
  const before = await room.tips();
  // Given to both replicas at once, the citing ones first.
  const all = [orphan, takeover, said, join];
  const lacking = await Promise.all(apps.map((app) => app.writer.storeOutliers(room.roomId, all)));
  expect(lacking).toEqual([[missing], [missing]]);
  const stored = await flagsOf([...all, join].map(({ event }) => event.eventId));
  expect(stored).toEqual(
    new Map([
      [join.event.eventId, 1 | 16],
      [said.event.eventId, 1],
      [takeover.event.eventId, 1 | 2 | 16],
    ]),
  );
  expect(await room.tips()).toEqual(before);
  expect((await alice.request('GET', `/rooms/${roomId}/event/${said.event.eventId}`)).status).toBe(404);
  expect(await receive(room, join)).toMatchObject({ outcome: 'accepted' });
  const parents = await room.tips();
  const talk = await room.message(weak, 'hello', { parents });
  expect(await receive(room, talk)).toMatchObject({ outcome: 'accepted' });
  const citing = await room.message(weak, 'citing it', { auth: [...talk.event.authEvents, takeover.event.eventId] });
  expect(await receive(room, citing)).toMatchObject({ outcome: 'rejected' });
  expect(await receive(room, takeover)).toMatchObject({ outcome: 'rejected' });
  expect(await flagsOf([join.event.eventId, takeover.event.eventId])).toEqual(
    new Map([
      [join.event.eventId, 16 | 64],
      [takeover.event.eventId, 2 | 16],
    ]),
  );
  expect(bodiesOf(joinedIn(await reader.sync(), roomId).timeline.events)).toEqual(['hello']);
});

async function flagsOf(eventIds: readonly string[]): Promise<Map<string, number>> {
  const { rows } = await client.query<{ event_id: string; flags: number }>(
    'select event_id, flags from events where event_id = any($1)',
    [eventIds],
  );
  return new Map(rows.map((row) => [row.event_id, row.flags]));
}
