import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import { createRoomWriter } from '../../homeserver/pipeline/create-room-writer.ts';
import { RoomHeads } from '../../homeserver/pipeline/room-heads.ts';
import type { EventDraft, RoomWriter, StateName } from '../../homeserver/pipeline/room-writer.ts';
import { parseUserId, type RoomId, type UserId } from '../../homeserver/room/identifiers.ts';
import { newRoomEvents } from '../../homeserver/rooms/new-room-events.ts';
import { ROOM_VERSIONS } from '../../homeserver/room/room-versions.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let apps: [App, App];
let database: pg.Client;
let alice: UserId;
let bob: UserId;
beforeAll(async () => {
  server = await startHomeserver();
  const [first, second] = server.replicas;
  if (first === undefined || second === undefined) throw new Error('two replicas were asked for');
  apps = [first.app, second.app];
  database = await server.database.connect();
  [alice, bob] = [user('@alice:test.example'), user('@bob:test.example')];
});
afterAll(() => server.stop());

function user(text: string): UserId {
  const userId = parseUserId(text);
  if (userId === undefined) throw new Error(`${text} is no user id`);
  return userId;
}

const message = (sender: UserId, body: string): EventDraft => ({
  type: 'm.room.message',
  sender,
  content: { msgtype: 'm.text', body },
});

const topic = (sender: UserId, text: string): EventDraft => ({
  type: 'm.room.topic',
  stateKey: '',
  sender,
  content: { topic: text },
});

const join = (sender: UserId): EventDraft => ({
  type: 'm.room.member',
  stateKey: sender,
  sender,
  content: { membership: 'join' },
});

async function newRoom(writer: RoomWriter = apps[0].writer): Promise<RoomId> {
  const rules = ROOM_VERSIONS.get('12');
  if (rules === undefined) throw new Error('version 12 is gone');
  const drafts = newRoomEvents({
    creator: alice,
    rules,
    preset: 'public_chat',
    creationContent: {},
    powerLevelOverride: {},
    initialState: [],
    alias: undefined,
    name: undefined,
    topic: undefined,
    invite: [],
    isDirect: undefined,
    profiles: new Map(),
  });
  return (await writer.create('12', drafts)).roomId;
}

interface StoredEvent {
  event_id: string;
  position: number;
  type: string;
  sender: string;
  prev: string[];
  auth: string[];
  state_before: string;
}

async function eventsOf(roomId: RoomId): Promise<StoredEvent[]> {
  const { rows } = await database.query<{ event_id: string; position: string; json: string; state_before: string }>(
    `select e.event_id, e.position, e.json, e.state_before from events e join rooms r using (room_no)
     where r.room_id = $1 order by e.position`,
    [roomId],
  );
  return rows.map(({ json, position, ...row }) => {
    const pdu = JSON.parse(json) as { type: string; sender: string; prev_events: string[]; auth_events: string[] };
    const { type, sender, prev_events: prev, auth_events: auth } = pdu;
    return { ...row, position: Number(position), type, sender, prev, auth };
  });
}

/** The store with every statement and batch counted. */
function counting(store: Store): { store: Store; counts: { queries: number; batches: number } } {
  const counts = { queries: 0, batches: 0 };
  const db: Store['db'] = {
    query: (statement) => {
      counts.queries += 1;
      return store.db.query(statement);
    },
    transaction: (work) => {
      counts.queries += 1;
      return store.db.transaction(work);
    },
    close: () => store.db.close(),
  };
  const batches: Store['batches'] = {
    write: (input) => {
      counts.batches += 1;
      return store.batches.write(input);
    },
  };
  return { store: { ...store, db, batches }, counts };
}

test('64 messages sent at once are a straight line', async () => {
  const roomId = await newRoom();
  const before = await eventsOf(roomId);
  const sent = await Promise.all(
    Array.from({ length: 64 }, (_, i) => apps[0].writer.send(roomId, message(alice, `${i}`))),
  );
  expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(64);
  expect(new Set(sent.map(({ position }) => position)).size).toBe(64);
  const events = await eventsOf(roomId);
  expect(events).toHaveLength(before.length + 64);
  events.slice(1).forEach((event, i) => {
    expect(event.prev).toEqual([events[i]?.event_id]);
  });
  for (const { eventId, position } of sent) {
    expect(events.find((event) => event.event_id === eventId)?.position).toBe(position);
  }
});

test('in the steady state a message costs one batch and no other query', async () => {
  const { store, counts } = counting(apps[0].store);
  const { config, keyring, log, metrics } = apps[0];
  const writer = createRoomWriter({ store, keyring, config, log, metrics });
  const roomId = await newRoom(writer);
  await writer.send(roomId, message(alice, 'first'));
  Object.assign(counts, { queries: 0, batches: 0 });
  for (let i = 0; i < 10; i += 1) await writer.send(roomId, message(alice, `${i}`));
  expect(counts).toEqual({ queries: 0, batches: 10 });
  await Promise.all(Array.from({ length: 100 }, (_, i) => writer.send(roomId, message(alice, `${i}`))));
  expect(counts.queries).toBe(0);
  // Far fewer than messages; under 10 on a quiet machine, 14 were seen on a busy one.
  expect(counts.batches - 10).toBeLessThan(50);
  await writer.close();
});

test('who joins a room for the first time costs one batch and no other query, and a burst of them few batches', async () => {
  const { store, counts } = counting(apps[0].store);
  const { config, keyring, log, metrics } = apps[0];
  const writer = createRoomWriter({ store, keyring, config, log, metrics });
  const roomId = await newRoom(writer);
  Object.assign(counts, { queries: 0, batches: 0 });
  for (let i = 0; i < 10; i += 1) await writer.send(roomId, join(user(`@newcomer${i}:test.example`)));
  expect(counts).toEqual({ queries: 0, batches: 10 });
  const more = Array.from({ length: 40 }, (_, i) => join(user(`@crowd${i}:test.example`)));
  await Promise.all(more.map((draft) => writer.send(roomId, draft)));
  expect(counts.queries).toBe(0);
  expect(counts.batches).toBeLessThan(30);
  // Who was there before is looked up, wherever it is not known what they were.
  const other = createRoomWriter({ store, keyring, config, log, metrics });
  await other.send(roomId, join(user('@newcomer0:test.example')));
  await expect(other.send(roomId, message(user('@nobody:test.example'), 'x'))).rejects.toMatchObject({
    code: 'M_FORBIDDEN',
  });
  await Promise.all([writer.close(), other.close()]);
});

test('a new room with its invites is one batch', async () => {
  const { store, counts } = counting(apps[0].store);
  const { config, keyring, log, metrics } = apps[0];
  const writer = createRoomWriter({ store, keyring, config, log, metrics });
  await newRoom(writer);
  expect(counts.batches).toBe(1);
  await writer.close();
});

test('two replicas that send and change state in one room lose nothing and build again what was refused', async () => {
  const roomId = await newRoom();
  await apps[0].writer.send(roomId, join(bob));
  const work = Array.from({ length: 40 }, (_, i) => [
    apps[0].writer.send(roomId, message(alice, `a${i}`)),
    apps[1].writer.send(roomId, message(bob, `b${i}`)),
    ...(i % 4 === 0 ? [apps[i % 8 === 0 ? 0 : 1].writer.send(roomId, topic(alice, `topic ${i}`))] : []),
  ]);
  const sent = await Promise.all(work.flat());
  const events = await eventsOf(roomId);
  const ids = new Set(events.map(({ event_id: id }) => id));
  expect(new Set(sent.map(({ eventId }) => eventId)).size).toBe(90);
  for (const { eventId } of sent) expect(ids).toContain(eventId);
  // Nobody is forgotten: every event but the tips is the parent of another one.
  const parents = new Set(events.flatMap(({ prev }) => prev));
  const { rows } = await database.query<{ tips: string[] }>('select tips from rooms where room_id = $1', [roomId]);
  const orphans = events.filter(({ event_id: id }) => !parents.has(id));
  expect(orphans.length).toBe(rows[0]?.tips.length);
  for (const parent of parents) expect(ids).toContain(parent);
});

test('a batch on a state that another replica has replaced meanwhile is refused and built again', async () => {
  const roomId = await newRoom();
  await apps[0].writer.send(roomId, join(bob));
  await Promise.all([
    apps[0].writer.send(roomId, topic(alice, 'warm')),
    apps[1].writer.send(roomId, message(bob, 'warm')),
  ]);
  const before = await refusals();
  // Both replicas wait for the store's lock with batches that are built on the same state.
  await database.query('select pg_advisory_lock(7001)');
  const changing = [
    apps[0].writer.send(roomId, topic(alice, 'first')),
    apps[0].writer.send(roomId, message(alice, 'a')),
  ];
  const talking = [apps[1].writer.send(roomId, topic(alice, 'second')), apps[1].writer.send(roomId, message(bob, 'b'))];
  await waitFor(
    async () =>
      (
        await database.query(`select from pg_locks where locktype = 'advisory' and objid = 7001 and not granted
           and database = (select oid from pg_database where datname = current_database())`)
      ).rowCount === 2,
    { what: 'both replicas to wait for the lock' },
  );
  await database.query('select pg_advisory_unlock(7001)');
  const sent = await Promise.all([...changing, ...talking]);
  expect((await refusals()) - before).toBe(1);
  const events = await eventsOf(roomId);
  const newest = events.slice(-4).map((event) => event.event_id);
  expect(new Set(newest)).toEqual(new Set(sent.map(({ eventId }) => eventId)));
});

async function refusals(): Promise<number> {
  const values = await Promise.all(apps.map((app) => app.metrics.roomsRefused.get()));
  return values
    .flatMap(({ values: points }) => points.map(({ value }) => value))
    .reduce((sum, value) => sum + value, 0);
}

test('state stands in one line whatever the replica: each state event is built on the state before it', async () => {
  const roomId = await newRoom();
  await Promise.all(
    Array.from({ length: 24 }, (_, i) => apps[i % 2 === 0 ? 0 : 1].writer.send(roomId, topic(alice, `${i}`))),
  );
  const { rows } = await database.query<{ state_before: string; state_after: string }>(
    `select e.state_before, e.state_after from events e join rooms r using (room_no)
     where r.room_id = $1 and e.state_key_no is not null order by e.position`,
    [roomId],
  );
  rows.slice(1).forEach((row, i) => {
    expect(row.state_before).toBe(rows[i]?.state_after);
  });
});

test('once the power to speak is taken, no message gets in on the old state', async () => {
  const roomId = await newRoom();
  await apps[1].writer.send(roomId, join(bob));
  await apps[1].writer.send(roomId, message(bob, 'warm'));
  const levels = {
    type: 'm.room.power_levels',
    stateKey: '',
    sender: alice,
    content: { events_default: 50, users: {} },
  };
  const talk = Array.from({ length: 60 }, (_, i) => apps[1].writer.send(roomId, message(bob, `${i}`)));
  const silence = apps[0].writer.send(roomId, levels);
  const more = Array.from({ length: 60 }, (_, i) => apps[1].writer.send(roomId, message(bob, `more ${i}`)));
  const outcomes = await Promise.allSettled([...talk, ...more]);
  const { position } = await silence;
  const events = await eventsOf(roomId);
  const spoken = events.filter((event) => event.sender === bob && event.type === 'm.room.message');
  expect(spoken.filter((event) => event.position > position)).toEqual([]);
  const stored = outcomes.filter((outcome) => outcome.status === 'fulfilled').length;
  expect(spoken).toHaveLength(stored + 1);
  await expect(apps[1].writer.send(roomId, message(bob, 'late'))).rejects.toMatchObject({ code: 'M_FORBIDDEN' });
});

test('several events go in together or not at all', async () => {
  const roomId = await newRoom();
  const before = (await eventsOf(roomId)).length;
  const forbidden = { ...topic(bob, 'not mine') };
  await expect(
    apps[0].writer.sendAll(roomId, [message(alice, 'one'), topic(alice, 'two'), forbidden]),
  ).rejects.toMatchObject({ code: 'M_FORBIDDEN' });
  expect(await eventsOf(roomId)).toHaveLength(before);
  const sent = await apps[0].writer.sendAll(roomId, [
    message(alice, 'one'),
    topic(alice, 'two'),
    message(alice, 'three'),
  ]);
  expect((await eventsOf(roomId)).slice(-3).map((event) => event.event_id)).toEqual(sent.map(({ eventId }) => eventId));
});

test('a fault in building one event fails that event alone', async () => {
  const roomId = await newRoom();
  const decide = () => {
    throw new TypeError('broken guard');
  };
  const faulty = { ...message(alice, 'faulty'), guard: { needs: [], decide } };
  const sends = [message(alice, 'before'), faulty, message(alice, 'after')].map((draft) =>
    apps[0].writer.send(roomId, draft),
  );
  const together = apps[0].writer.sendAll(roomId, [topic(alice, 'never'), faulty]);
  const outcomes = await Promise.allSettled([...sends, together]);
  expect(outcomes.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled', 'rejected']);
  expect((await eventsOf(roomId)).filter(({ type }) => type === 'm.room.topic')).toEqual([]);
  expect((await apps[0].writer.send(roomId, topic(alice, 'now'))).position).toBeGreaterThan(0);
});

test('what does not fit into a batch waits for the next one, and what is too much to wait is refused', async () => {
  const { store, counts } = counting(apps[0].store);
  const { config, keyring, log, metrics } = apps[0];
  const writer = createRoomWriter({ store, keyring, config, log, metrics });
  const roomId = await newRoom(writer);
  await database.query('select pg_advisory_lock(7001)');
  counts.batches = 0;
  const sends = Array.from({ length: 4200 }, (_, i) => writer.send(roomId, message(alice, `${i}`)));
  const settled = Promise.allSettled(sends);
  await database.query('select pg_advisory_unlock(7001)');
  const refused: unknown[] = [];
  for (const outcome of await settled) if (outcome.status === 'rejected') refused.push(outcome.reason);
  expect(refused).toHaveLength(4200 - 4096);
  for (const reason of refused) expect(reason).toMatchObject({ code: 'M_LIMIT_EXCEEDED', status: 429 });
  expect(counts.batches).toBeGreaterThanOrEqual(16);
  const large = Array.from({ length: 40 }, () => writer.send(roomId, message(alice, 'x'.repeat(60_000))));
  counts.batches = 0;
  await Promise.all(large);
  expect(counts.batches).toBeGreaterThanOrEqual(3);
  await writer.close();
  await expect(writer.send(roomId, message(alice, 'late'))).rejects.toMatchObject({ status: 503 });
});

test('heads that are forgotten for want of room are read again', async () => {
  const heads = new RoomHeads(apps[0].store, {
    rooms: 2,
    entries: 4,
    bytes: 1e6,
    entriesPerRoom: 2,
    bytesPerRoom: 1e6,
  });
  const rooms = await Promise.all([newRoom(), newRoom(), newRoom(), newRoom()]);
  const names: StateName[] = [
    ['m.room.create', ''],
    ['m.room.power_levels', ''],
  ];
  const needs = { names, chain: true, fresh: false };
  for (const roomId of [...rooms, ...rooms]) {
    const head = await heads.ensure(roomId, needs);
    expect(head?.state.size).toBe(2);
    expect(head?.chain?.length).toBeGreaterThan(0);
  }
  expect(rooms.filter((roomId) => heads.has(roomId, needs))).toHaveLength(2);
  heads.close();
});

test('a burst of new senders does not keep the others of the room from speaking', async () => {
  const roomId = await newRoom();
  const users = Array.from({ length: 50 }, (_, i) => user(`@burst${i}:test.example`));
  const talk = Array.from({ length: 100 }, (_, i) => apps[0].writer.send(roomId, message(alice, `${i}`)));
  const joins = users.map((userId) => apps[0].writer.send(roomId, join(userId)));
  const elsewhere = users.map((userId) => apps[1].writer.send(roomId, join(userId)));
  await Promise.all([...talk, ...joins, ...elsewhere]);
  const said = await Promise.all(users.map((userId) => apps[1].writer.send(roomId, message(userId, 'hello'))));
  expect(said).toHaveLength(50);
});

test('connections that die in the middle lose nothing and double nothing', async () => {
  const roomId = await newRoom();
  const device = await database.query<{ user_no: string }>('select user_no from users limit 1');
  const deviceNo = Number(device.rows[0]?.user_no ?? 1) + 1_000_000;
  const send = (i: number) => {
    const transaction = { deviceNo, txnId: `kill ${i}` };
    return apps[i % 2 === 0 ? 0 : 1].writer.send(roomId, { ...message(alice, `${i}`), transaction });
  };
  const superuser = await server.database.connectAsSuperuser();
  const kill = () =>
    superuser.query(
      `select pg_terminate_backend(pid) from pg_stat_activity
       where datname = current_database() and application_name like 'homeserver-%'`,
    );
  const first = Promise.allSettled(Array.from({ length: 100 }, (_, i) => send(i)));
  await kill();
  const second = Promise.allSettled(Array.from({ length: 100 }, (_, i) => send(100 + i)));
  await kill();
  const outcomes = [...(await first), ...(await second)];
  const again = await Promise.all(outcomes.map((_, i) => send(i)));
  outcomes.forEach((outcome, i) => {
    if (outcome.status === 'fulfilled') expect(again[i]?.eventId).toBe(outcome.value.eventId);
    else expect(outcome.reason).toMatchObject({ status: 503 });
  });
  const messages = (await eventsOf(roomId)).filter((event) => event.type === 'm.room.message');
  expect(messages).toHaveLength(200);
  expect(new Set(again.map(({ eventId }) => eventId)).size).toBe(200);
});
