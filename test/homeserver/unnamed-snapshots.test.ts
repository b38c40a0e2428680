import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import { createMetrics } from '../../homeserver/metrics.ts';
import { EVENT_FLAGS } from '../../homeserver/storage/batch-arrays.ts';
import { selectSnapshotChain } from '../../homeserver/storage/room-reads/select-snapshot-chain.ts';
import { nextSnapshot } from '../../homeserver/storage/snapshot-delta.ts';
import { insertUnplacedEvents } from '../../homeserver/storage/tables/events.ts';
import { insertSnapshot } from '../../homeserver/storage/tables/snapshots.ts';
import { REFERENCE_CHECKS, selectDangling } from '../../homeserver/storage/verify-reads/select-dangling.ts';
import { collectSnapshots } from '../../homeserver/workers/collect-snapshots.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { beginRoom, parentsFirst, received } from '../support/received-room.ts';
import type { RoomDag } from '../support/room-dag.ts';
import { roomForks } from '../support/room-forks.ts';
import { rulesOf } from '../support/room-story.ts';
import { messagesInto, newMessage, newRoom } from '../support/store-fixture.ts';

let server: TestHomeserver;
let client: pg.Client;
let apps: App[];
let app: App;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3 });
  client = await server.database.connect();
  apps = server.replicas.map((replica) => replica.app);
  const [first] = apps;
  if (first === undefined) throw new Error('there is no replica');
  app = first;
});
afterAll(() => server.stop());

/** Stores a state on top of another one, as for an event that is still to come. */
async function storeOn(roomNo: number, base: number): Promise<number> {
  const { store } = app;
  const changes = { keys: new Map([[1_000_000, 1]]), members: new Map<number, number>() };
  const next = nextSnapshot(await store.numbers.nextSnapshot(), await selectSnapshotChain(store.db, base), changes);
  await insertSnapshot(store.db, roomNo, next.row);
  return next.row.snapshot;
}

/** One run of the collection; gives how many snapshots had which outcome. */
async function collect(unnamedForMs?: number): Promise<Record<string, number>> {
  const { store } = app;
  const metrics = createMetrics(store.caches);
  const age = unnamedForMs === undefined ? {} : { unnamedForMs };
  const lease = { signal: new AbortController().signal, write: store.db.transaction.bind(store.db) };
  await collectSnapshots({ store, metrics, ...age }, lease);
  const { values } = await metrics.unnamedSnapshots.get();
  return Object.fromEntries(values.map(({ labels, value }) => [String(labels.outcome), value]));
}

async function numbers(text: string): Promise<number[]> {
  const { rows } = await client.query<{ no: string }>(text);
  return rows.map(({ no }) => Number(no));
}

const remaining = () => numbers('select snapshot as no from snapshots');
const noted = () => numbers('select snapshot as no from unnamed_snapshots');

test('a snapshot that nothing names goes after its time; what an event, a room, a merge or a snapshot names stays', async () => {
  const { store } = app;
  const room = await newRoom(store);
  const { roomNo, newSnapshot } = room;
  await store.batches.write({ rooms: [room], streams: [] });
  const nobodys = await storeOn(roomNo, newSnapshot);
  const base = await storeOn(roomNo, newSnapshot);
  const [placed, aside, merged, rooms] = await Promise.all([1, 2, 3, 4].map(() => storeOn(roomNo, newSnapshot)));
  const based = await storeOn(roomNo, base);
  const message = await newMessage(store, newSnapshot, { stateBefore: placed ?? 0, stateAfter: based });
  await store.batches.write({
    rooms: [{ ...messagesInto(roomNo, newSnapshot, [message]), newSnapshot: rooms ?? 0 }],
    streams: [],
  });
  const event = await newMessage(store, aside ?? 0);
  await insertUnplacedEvents(store.db, [{ roomNo, event, flags: EVENT_FLAGS.rejected }]);
  await client.query('insert into merged_states values ($1, $2)', [message.eventNo, merged]);

  expect(await collect()).toEqual({});
  expect((await noted()).length).toBe(7);
  expect(await collect(0)).toEqual({ deleted: 1, named: 5, kept: 1 });
  expect(await noted()).toEqual([base]);
  const left = await remaining();
  expect(left).not.toContain(nobodys);
  expect(left).toEqual(expect.arrayContaining([base, placed, aside, merged, rooms, based]));
  await client.query('truncate unnamed_snapshots');
});

test('while a process is silent that may still write what it had begun, nothing goes', async () => {
  const room = await newRoom(app.store);
  await app.store.batches.write({ rooms: [room], streams: [] });
  const nobodys = await storeOn(room.roomNo, room.newSnapshot);
  await client.query(`insert into ops.replica (id, software_version, schema_level, clock, heartbeat, backend_tag)
    values ('silent', '', 1, 0, 0, '')`);
  expect(await collect(0)).toEqual({});
  await client.query("delete from ops.replica where id = 'silent'");
  expect(await collect(0)).toMatchObject({ deleted: 1 });
  expect(await remaining()).not.toContain(nobodys);
});

/** Gives a room's events to every replica at once, to each in an order of its own. */
async function deliverToAll(dag: RoomDag, picks: readonly number[][]): Promise<void> {
  const deliveries = apps.map(async ({ writer }, at) => {
    let step = 0;
    const order = parentsFirst(dag, (n) => (picks[at]?.[step++ % 40] ?? 0) % n);
    for (const event of order) await writer.receive(dag.roomId, received(dag, event));
  });
  await Promise.all(deliveries);
}

/** Collects what is older than `since`, again and again until `work` is done. */
async function collectDuring(work: Promise<unknown>, since: number): Promise<void> {
  let done = false;
  const finished = work.finally(() => {
    done = true;
  });
  while (!done) {
    const [now = 0] = await numbers(NOW);
    await collect(now - since + 1);
  }
  await finished;
}

const NOW = 'select (extract(epoch from clock_timestamp()) * 1000)::int8 as no';
const LOST = `
select e.event_no as no from events e, unnest(array[e.state_before, e.state_after]) w (snapshot)
where w.snapshot <> 0 and not exists (select from snapshots s where s.snapshot = w.snapshot)
union all
select r.room_no from rooms r where not exists (select from snapshots s where s.snapshot = r.snapshot)`;

test('while replicas take in events, what nothing names goes and nothing else', async () => {
  const picks = fc.array(fc.array(fc.nat(), { minLength: 40, maxLength: 40 }), { minLength: 3, maxLength: 3 });
  const planted: number[] = [];
  for (let round = 0; round < 4; round += 1) {
    const [forks] = fc.sample(roomForks(rulesOf('11'), `-collected-${round}`), { numRuns: 1, seed: round });
    const [orders] = fc.sample(picks, { numRuns: 1, seed: round });
    if (forks === undefined || orders === undefined) throw new Error('no room was made');
    const [since = 0] = await numbers(NOW);
    const roomNo = await beginRoom(app.store, forks.dag);
    await collectDuring(deliverToAll(forks.dag, orders), since);
    const [snapshot = 0] = await numbers(`select snapshot as no from rooms where room_no = ${roomNo}`);
    planted.push(await storeOn(roomNo, snapshot));
  }
  await collect(0);
  expect((await remaining()).filter((snapshot) => planted.includes(snapshot))).toEqual([]);
  expect(await numbers(LOST)).toEqual([]);
  for (const check of REFERENCE_CHECKS) expect([check, await selectDangling(app.store.db, check)]).toEqual([check, []]);
});
