import fc from 'fast-check';
import type pg from 'pg';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { AuthChainIndex } from '../../homeserver/pipeline/auth-chain-index.ts';
import { numberedState } from '../../homeserver/pipeline/numbered-state.ts';
import { ResolutionPool } from '../../homeserver/pipeline/resolution-pool.ts';
import { StateResolver } from '../../homeserver/pipeline/resolve-state.ts';
import { selectSnapshotChain } from '../../homeserver/storage/room-reads/select-snapshot-chain.ts';
import type { EventId } from '../../homeserver/room/identifiers.ts';
import type { StateMap } from '../../homeserver/room/state-map.ts';
import { authDifference } from '../../homeserver/room/state-resolution/auth-difference.ts';
import { conflictedSubgraph } from '../../homeserver/room/state-resolution/conflicted-subgraph.ts';
import { splitConflicted } from '../../homeserver/room/state-resolution/split-conflicted.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { startedRoom, type RoomDag } from '../support/room-dag.ts';
import { roomForks } from '../support/room-forks.ts';
import { ALL_RULES, member, rulesOf } from '../support/room-story.ts';
import { numberedEntries, storeDag, type StoredDag } from '../support/stored-dag.ts';
import { openTestStore } from '../support/store-fixture.ts';

let database: TestDatabase;
let client: pg.Client;
let store: Store;
let index: AuthChainIndex;
const pool = new ResolutionPool();
/** Sends everything to another thread. */
const threads = new ResolutionPool({ threads: 1, maxEventsHere: 0 });
beforeAll(async () => {
  database = await createDatabase();
  client = await database.connect();
  store = await openTestStore(database);
  index = new AuthChainIndex(store);
});
afterAll(async () => {
  await Promise.all([pool.close(), threads.close()]);
  index.close();
  await store.close();
  await database.drop();
});

function snapshotsOf(dag: RoomDag, stored: StoredDag, names: readonly string[]): number[] {
  return names.map((name) => stored.snapshots.get(dag.idOf(name)) ?? 0);
}

async function stateOfSnapshot(snapshot: number): Promise<Map<number, number>> {
  return new Map(numberedState(await selectSnapshotChain(store.db, snapshot)));
}

test.for(ALL_RULES)(
  'version $version: what is resolved from the database is what the rules make of the graph',
  async (rules) => {
    const resolver = new StateResolver({ store, index, pool });
    for (const { dag, names } of fc.sample(roomForks(rules), { numRuns: 8, seed: 20 + Number(rules.version) })) {
      const stored = await storeDag(store, client, dag);
      const tips = names.slice(-3);
      const snapshot = await resolver.resolve({ roomNo: stored.roomNo, rules }, snapshotsOf(dag, stored, tips));
      const expected = await numberedEntries(store, dag.stateBefore(tips), stored.numbers);
      expect(await stateOfSnapshot(snapshot)).toEqual(expected);
    }
  },
);

/** What the graph itself gives for the auth difference and, from version 12 on, the conflicted state subgraph. */
function walkedDifference(dag: RoomDag, states: readonly StateMap[]): Set<EventId> {
  const { conflicts } = splitConflicted(states, 'v2');
  const conflicted = new Set([...conflicts.values()].flatMap((ids) => [...ids]));
  const subgraph = dag.rules.stateResolution === 'v2.1' ? conflictedSubgraph(conflicted, dag.events) : [];
  return new Set([...authDifference(states, conflicted, dag.events), ...subgraph]);
}

test.for(ALL_RULES)('version $version: chains give the difference that a walk over the graph gives', async (rules) => {
  for (const { dag, names } of fc.sample(roomForks(rules), { numRuns: 8, seed: 50 + Number(rules.version) })) {
    const { roomNo, numbers } = await storeDag(store, client, dag);
    const states = names.slice(-3).map((name) => dag.stateAfter(name));
    const { unconflicted, conflicts } = splitConflicted(states, 'v2');
    const numbersOf = (ids: Iterable<EventId>) => [...ids].flatMap((id) => numbers.get(id) ?? []);
    const perState = states.map((state) => numbersOf([...conflicts.keys()].flatMap((key) => state.get(key) ?? [])));
    const conflict = { roomNo, rules, perState, unconflicted: numbersOf(unconflicted.values()) };
    const expected = new Set(numbersOf(walkedDifference(dag, states)));
    expect(new Set(await index.difference(conflict))).toEqual(expected);
  }
});

/** Two branches of a room: a ban on one, a topic by the banned on the other. */
async function forkedRoom(
  version: string,
): Promise<{ dag: RoomDag; stored: StoredDag; room: { roomNo: number; rules: RoomDag['rules'] } }> {
  const rules = rulesOf(version);
  const ban = { ...member('@admin:one', 'ban'), stateKey: '@mod:one' };
  const dag = startedRoom(rules)
    .add('ban', ban, ['alice'])
    .add('evasion', { type: 'm.room.topic', stateKey: '', sender: '@mod:one' }, ['alice']);
  const stored = await storeDag(store, client, dag);
  return { dag, stored, room: { roomNo: stored.roomNo, rules } };
}

test('an outcome that one of the states is already needs no new snapshot', async () => {
  const { dag, stored, room } = await forkedRoom('12');
  const resolver = new StateResolver({ store, index, pool });
  const [ban, evasion] = snapshotsOf(dag, stored, ['ban', 'evasion']);
  expect(await resolver.resolve(room, [evasion ?? 0, ban ?? 0])).toBe(ban);
});

test('the same snapshots are worked out once, whatever their order', async () => {
  const { dag, stored, room } = await forkedRoom('1');
  const resolver = new StateResolver({ store, index, pool });
  const both = snapshotsOf(dag, stored, ['ban', 'evasion']);
  const first = await resolver.resolve(room, both);
  expect(both).not.toContain(first);
  expect(await resolver.resolve(room, both.toReversed())).toBe(first);
});

test('an outcome is given out for an hour: then it may have been collected', async () => {
  const { dag, stored, room } = await forkedRoom('1');
  const resolver = new StateResolver({ store, index, pool });
  const both = snapshotsOf(dag, stored, ['ban', 'evasion']);
  vi.useFakeTimers({ toFake: ['performance'] });
  try {
    const first = await resolver.resolve(room, both);
    vi.advanceTimersByTime(3_599_000);
    expect(await resolver.resolve(room, both)).toBe(first);
    vi.advanceTimersByTime(2000);
    const second = await resolver.resolve(room, both);
    expect(second).not.toBe(first);
    expect(await stateOfSnapshot(second)).toEqual(await stateOfSnapshot(first));
  } finally {
    vi.useRealTimers();
  }
});

test('a resolution on another thread comes to the same state', async () => {
  const { dag, stored, room } = await forkedRoom('11');
  const resolver = new StateResolver({ store, index, pool: threads });
  const [ban, evasion] = snapshotsOf(dag, stored, ['ban', 'evasion']);
  expect(await resolver.resolve(room, [evasion ?? 0, ban ?? 0])).toBe(ban);
});

test('places in auth chains are given once, though two replicas ask at the same time', async () => {
  const { stored, room } = await forkedRoom('12');
  const other = await openTestStore(database);
  const indexes = [new AuthChainIndex(store), new AuthChainIndex(other)];
  const all = [...stored.numbers.values()];
  const conflict = { ...room, perState: [all.slice(-1), all.slice(-2, -1)], unconflicted: all.slice(0, -2) };
  const answers = await Promise.all(indexes.map((one) => one.difference(conflict)));
  const sorted = (numbers: number[] | undefined) => numbers?.toSorted((a, b) => a - b);
  expect(sorted(answers[0])).toEqual(sorted(answers[1]));
  const { rows } = await client.query<{ events: string; places: string }>(
    'select count(*) as events, count(distinct (chain, seq)) as places from auth_chains',
  );
  expect(rows[0]).toEqual({ events: String(all.length), places: String(all.length) });
  await other.close();
});

test('a resolution that fails on its thread fails alone', async () => {
  const broken = { version: 'none', events: [], rejected: [], unconflicted: [], conflicts: [], difference: [] };
  const one = { eventId: rulesOfNothing(), json: '{}' };
  await expect(threads.run({ ...broken, events: [one] })).rejects.toThrow('room version none');
  const { dag, stored, room } = await forkedRoom('11');
  const resolver = new StateResolver({ store, index, pool: threads });
  await expect(resolver.resolve(room, snapshotsOf(dag, stored, ['ban', 'evasion']))).resolves.toBeGreaterThan(0);
});

function rulesOfNothing() {
  return startedRoom(rulesOf('12')).idOf('nothing');
}
