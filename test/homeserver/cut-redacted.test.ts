import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { verify } from '../../homeserver/backup/verify.ts';
import type { App } from '../../homeserver/http/app.ts';
import { createMetrics } from '../../homeserver/metrics.ts';
import { extendSearchIndex } from '../../homeserver/sync/search-index.ts';
import { RedactedCutter } from '../../homeserver/workers/cut-redacted.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let client: pg.Client;
let app: App;
let alice: RoomClient;
let bob: RoomClient;
beforeAll(async () => {
  server = await startHomeserver();
  client = await server.database.connect();
  // The tests say when these run.
  await client.query(`insert into leases select name, -1, 1, 9e15 from unnest(array['search index', 'redacted content']) n (name)
    on conflict (name) do update set holder = -1, until = 9e15`);
  const [first] = server.replicas;
  if (first === undefined) throw new Error('there is no replica');
  app = first.app;
  [alice, bob] = await Promise.all([newClient(server), newClient(server)]);
});
afterAll(() => server.stop());

const Chunk = z.looseObject({ chunk: z.array(z.unknown()) });

const transaction = () => app.store.db.transaction.bind(app.store.db);

function cutter(days: number, page?: number) {
  const metrics = createMetrics(app.store.caches);
  const config = { rooms: { redactedContentDays: days } };
  const walk = new RedactedCutter({ store: app.store, metrics, config, ...(page !== undefined && { page }) });
  const lease = { signal: new AbortController().signal, write: transaction() };
  return {
    /** One run; gives how many events all runs have cut. */
    run: async () => {
      await walk.run(lease);
      return (await metrics.redactedEventsCut.get()).values[0]?.value ?? 0;
    },
  };
}
const cut = (days: number) => cutter(days).run();
const index = () => extendSearchIndex(transaction(), 100);

/** Tables with the word in any column, and the search index if it has it. */
async function placesOf(word: string): Promise<string[]> {
  const tables = await client.query<{
    name: string;
  }>(`select format('%I.%I', schemaname, tablename) as name from pg_tables
    where schemaname not in ('pg_catalog', 'information_schema') order by 1`);
  const places: string[] = [];
  for (const { name } of tables.rows) {
    const { rowCount } = await client.query(`select from ${name} t where t::text like '%' || $1 || '%' limit 1`, [
      word,
    ]);
    if (rowCount === 1) places.push(name);
  }
  const words = 'select from event_search where event_words(position, room_no, kind)::text like $1';
  if ((await client.query(words, [`%${word}%`])).rowCount !== 0) places.push('words');
  return places;
}

async function jsonOf(eventId: string): Promise<string> {
  const { rows } = await client.query<{ json: string }>('select json from events where event_id = $1', [eventId]);
  return rows[0]?.json ?? '';
}

async function isApplied(eventId: string): Promise<boolean> {
  const text = 'select from redactions where redacted_event_id = $1 and applied_at is not null';
  return (await client.query(text, [eventId])).rowCount === 1;
}

/** All that a member is given of a room, but for how old it is and where the room ends. */
async function readingOf(reader: RoomClient, roomId: string, eventIds: readonly string[]): Promise<string[]> {
  const room = `/rooms/${encodeURIComponent(roomId)}`;
  const answers: unknown[] = [];
  for (const eventId of eventIds) answers.push(await reader.get(`${room}/event/${encodeURIComponent(eventId)}`));
  answers.push(Chunk.parse(await reader.get(`${room}/messages?dir=b&limit=100`)).chunk);
  answers.push(await reader.get(`${room}/members`));
  // State has no order.
  answers.push((await reader.state(roomId)).toSorted((a, b) => (a.event_id < b.event_id ? -1 : 1)));
  return answers.map((answer) => JSON.stringify(answer).replaceAll(/"age":-?\d+/g, ''));
}

const wholeness = () =>
  verify({
    connection: { database: server.database.config, applicationName: 'cut-redacted-test' },
    serverName: server.serverName,
    sample: 10_000,
    timeLimitMs: 60_000,
  });
const faults = async () =>
  (await wholeness()).checks.filter(({ problems, complete }) => problems > 0 || !complete).flatMap((c) => c.examples);

/** A room in which everything that holds the word is redacted. */
async function regret(version: string, word: string) {
  const roomId = await alice.createRoom({ room_version: version, preset: 'public_chat' });
  await bob.join(roomId);
  const message = await alice.send(roomId, `all about the ${word}`);
  const topic = eventIdOf(await alice.setState(roomId, 'm.room.topic', { topic: word }));
  const relation = (rel_type: string, more = {}) => ({ rel_type, event_id: message, ...more });
  const reaction = eventIdOf(
    await bob.trySend(roomId, { 'm.relates_to': relation('m.annotation', { key: word }) }, { type: 'm.reaction' }),
  );
  const edited = { msgtype: 'm.text', body: word };
  const edit = eventIdOf(
    await alice.trySend(roomId, { ...edited, 'm.new_content': edited, 'm.relates_to': relation('m.replace') }),
  );
  const named = { membership: 'join', displayname: word };
  const member = eventIdOf(await bob.setState(roomId, 'm.room.member', named, bob.userId));
  await index();
  const targets = [message, topic, reaction, edit, member];
  for (const eventId of targets) expect((await alice.redact(roomId, eventId)).status).toBe(200);
  await alice.setState(roomId, 'm.room.topic', { topic: 'fruit' });
  return { roomId, targets };
}

test.for(['1', '5', '6', '10', '11', '12'])(
  'version %s: after its days nothing of what was redacted is in the database, and readers are given the same as before',
  async (version) => {
    const word = `quagga${version}q`;
    const { roomId, targets } = await regret(version, word);
    await index();
    const before = await readingOf(bob, roomId, targets);
    expect(before.slice(0, targets.length).every((text) => text.includes('redacted_because'))).toBe(true);
    expect(await placesOf(word)).toEqual(['public.event_relations', 'public.events']);
    expect(await cut(7)).toBe(0);
    await client.query('update events e set ts = ts - 8 * 86400000 from redactions d where d.event_no = e.event_no');
    expect(await cut(9)).toBe(0);
    expect(await cut(7)).toBe(targets.length);
    expect(await placesOf(word)).toEqual([]);
    expect(await cut(0)).toBe(0);
    expect(await readingOf(bob, roomId, targets)).toEqual(before);
    expect(await faults()).toEqual([]);
  },
);

test('a replica that knows only what is left goes on with the rooms: state, memberships and the right to redact', async () => {
  const rooms: { roomId: string; targets: readonly string[]; before: readonly string[] }[] = [];
  for (const version of ['1', '10', '12']) {
    const { roomId, targets } = await regret(version, 'serval');
    rooms.push({ roomId, targets, before: await readingOf(alice, roomId, targets) });
  }
  await index();
  expect(await cut(0)).toBe(rooms.flatMap(({ targets }) => targets).length);
  await server.addReplica();
  const last = server.replicas.length - 1;
  for (const { roomId, targets, before } of rooms) {
    expect(await readingOf(alice.at(last), roomId, targets)).toEqual(before);
    const sent = await bob.at(last).send(roomId, 'still here');
    expect((await alice.at(last).redact(roomId, sent)).status).toBe(200);
    expect(await bob.at(last).membershipOf(roomId, bob.userId)).toBe('join');
  }
});

test('a redaction that is redacted itself loses its reason, and what it redacted stays redacted', async () => {
  const roomId = await alice.createRoom({ room_version: '10' });
  const message = await alice.send(roomId, 'regretted');
  const redaction = eventIdOf(await alice.redact(roomId, message, { reason: 'fossa' }));
  expect((await alice.redact(roomId, redaction)).status).toBe(200);
  await index();
  await cut(0);
  for (const eventId of [message, redaction]) expect(await isApplied(eventId)).toBe(true);
  expect(await placesOf('fossa')).toEqual([]);
  await server.addReplica();
  const path = `/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(message)}`;
  const because = { event_id: redaction, redacts: message, content: {} };
  expect(await alice.at(server.replicas.length - 1).get(path)).toMatchObject({
    content: {},
    unsigned: { redacted_because: because },
  });
  expect(await faults()).toEqual([]);
});

test('what the auth rules read of redacted state stays, and no more of it', async () => {
  const roomId = await alice.createRoom({ room_version: '10', preset: 'public_chat' });
  await bob.join(roomId);
  const carol = await newClient(server);
  const levels = { users: { [alice.userId]: 100 }, invite: 50, notifications: { room: 50 }, note: 'okapi' };
  const power = eventIdOf(await alice.setState(roomId, 'm.room.power_levels', levels));
  const created = (await alice.state(roomId)).find(({ type }) => type === 'm.room.create')?.event_id ?? '';
  const create = await jsonOf(created);
  for (const eventId of [power, created]) expect((await alice.redact(roomId, eventId)).status).toBe(200);
  await index();
  expect(await cut(0)).toBe(1);
  expect(await jsonOf(created)).toBe(create);
  expect(await jsonOf(power)).toContain('"invite":50,"notifications":{"room":50}');
  expect(await placesOf('okapi')).toEqual([]);
  await server.addReplica();
  const last = server.replicas.length - 1;
  expect((await bob.at(last).act('invite', roomId, { user_id: carol.userId })).status).toBe(403);
  expect((await alice.at(last).getState(roomId, 'm.room.power_levels')).body).toEqual({ users: levels.users });
  expect(await faults()).toEqual([]);
});

test('what the search index has not passed, an event without its place and a redaction of another room wait', async () => {
  const roomId = await alice.createRoom();
  const elsewhere = await alice.createRoom();
  const message = await alice.send(roomId, 'tapir');
  const others = await alice.send(elsewhere, 'tapir of another room');
  const redaction = eventIdOf(await alice.redact(roomId, message));
  const insert = `insert into redactions (redacted_event_id, event_no)
    select t.id, e.event_no from unnest(array[$1, '$unknown']) t (id), events e where e.event_id = $2`;
  await client.query(insert, [others, redaction]);
  expect(await cut(0)).toBe(0);
  await index();
  await client.query('update events set flags = flags | 1 where event_id = $1', [message]);
  expect(await cut(0)).toBe(0);
  await client.query('update events set flags = flags & ~1 where event_id = $1', [message]);
  expect(await cut(0)).toBe(1);
  expect(await jsonOf(message)).not.toContain('tapir');
  expect(await jsonOf(others)).toContain('tapir');
  expect(await isApplied(message)).toBe(true);
  for (const eventId of [others, '$unknown']) expect(await isApplied(eventId)).toBe(false);
  await client.query(`delete from redactions where redacted_event_id = any($1)`, [[others, '$unknown']]);
});

test('each run goes on where the last one ended, and begins again behind the last', async () => {
  const roomId = await alice.createRoom();
  const message = await alice.send(roomId, 'dugong');
  await alice.redact(roomId, message);
  await index();
  await cut(0);
  await client.query('update redactions set applied_at = null where redacted_event_id = $1', [message]);
  await client.query(
    `insert into redactions (redacted_event_id, event_no)
    select '!' || i, d.event_no from redactions d, generate_series(1, 30) i where d.redacted_event_id = $1`,
    [message],
  );
  const { rows } = await client.query<{ count: string }>(
    'select count(*) from redactions where redacted_event_id <= $1',
    [message],
  );
  const place = Number(rows[0]?.count);
  const total = Number((await client.query<{ count: string }>('select count(*) from redactions')).rows[0]?.count);
  const { run } = cutter(0, 1);
  // A run looks at twenty pages.
  for (let seen = 20; seen < place; seen += 20) {
    await run();
    expect(await isApplied(message)).toBe(false);
  }
  await run();
  expect(await isApplied(message)).toBe(true);
  await client.query('update redactions set applied_at = null where redacted_event_id = $1', [message]);
  for (let runs = 0; runs < total && !(await isApplied(message)); runs += 1) await run();
  expect(await isApplied(message)).toBe(true);
  await client.query(`delete from redactions where redacted_event_id like '!%'`);
});

test('verify accepts what was cut where it is noted, and nothing else', async () => {
  const roomId = await alice.createRoom();
  const [message, kept] = [await alice.send(roomId, 'numbat'), await alice.send(roomId, 'not redacted')];
  await alice.redact(roomId, message);
  await index();
  await cut(0);
  expect(await faults()).toEqual([]);
  const replace = (eventId: string, from: string, to: string) =>
    client.query('update events set json = replace(json, $2, $3) where event_id = $1', [eventId, from, to]);
  await replace(message, '"content":{}', '"content":{"body":"back"}');
  expect(await faults()).toEqual([message]);
  await replace(message, '"content":{"body":"back"}', '"content":{}');
  await client.query('update redactions set applied_at = null where redacted_event_id = $1', [message]);
  expect(await faults()).toEqual([message]);
  await client.query('update redactions set applied_at = 1 where redacted_event_id = $1', [message]);
  const whole = await jsonOf(kept);
  await replace(kept, '"content":{"body":"not redacted","msgtype":"m.text"}', '"content":{}');
  expect(await jsonOf(kept)).not.toBe(whole);
  expect(await faults()).toEqual([kept]);
});
