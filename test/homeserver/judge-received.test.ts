import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { AuthChainIndex } from '../../homeserver/pipeline/auth-chain-index.ts';
import { findPast, judgeReceived } from '../../homeserver/pipeline/judge-received.ts';
import { ResolutionPool } from '../../homeserver/pipeline/resolution-pool.ts';
import { StateResolver, type ResolvedRoom } from '../../homeserver/pipeline/resolve-state.ts';
import { stateAt } from '../../homeserver/pipeline/state-at.ts';
import { authStateKeys } from '../../homeserver/room/auth/select-auth-events.ts';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import type { RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { createDatabase, type TestDatabase } from '../support/postgres.ts';
import { startedRoom, type DagEvent, type RoomDag } from '../support/room-dag.ts';
import { ALL_RULES, member, rulesOf } from '../support/room-story.ts';
import { storeDag } from '../support/stored-dag.ts';
import { openTestStore } from '../support/store-fixture.ts';

let database: TestDatabase;
let client: pg.Client;
let store: Store;
let index: AuthChainIndex;
let resolver: StateResolver;
const pool = new ResolutionPool();
beforeAll(async () => {
  database = await createDatabase();
  client = await database.connect();
  store = await openTestStore(database);
  index = new AuthChainIndex(store);
  resolver = new StateResolver({ store, index, pool });
});
afterAll(async () => {
  await pool.close();
  index.close();
  await store.close();
  await database.drop();
});

/** The room with the snapshot of its present state. */
interface ReceivingRoom extends ResolvedRoom {
  readonly snapshot: number;
}

async function judged(room: ReceivingRoom, event: RoomEvent): Promise<unknown> {
  const found = await findPast({ store, resolver }, room, event);
  if (found.outcome !== 'found') return found;
  const at = { snapshot: room.snapshot, names: authStateKeys(event, room.rules) };
  const now = { ...room, currentState: await stateAt(store, room.rules, at) };
  return judgeReceived(store, now, event, found.past);
}

const ban: DagEvent = { ...member('@admin:one', 'ban'), stateKey: '@mod:one' };
const topic: DagEvent = { type: 'm.room.topic', stateKey: '', sender: '@mod:one' };
const talk: DagEvent = { type: 'm.room.message', sender: '@mod:one' };

/** A room that forks after @alice joined: a ban of @mod on one branch, a topic of theirs on the other; its state is that after the ban. */
async function room(rules: RoomVersionRules): Promise<{ dag: RoomDag; receiving: ReceivingRoom }> {
  const dag = startedRoom(rules).add('ban', ban, ['alice']).add('topic', topic, ['alice']);
  const stored = await storeDag(store, client, dag);
  const snapshot = stored.snapshots.get(dag.idOf('ban')) ?? 0;
  return { dag, receiving: { roomNo: stored.roomNo, rules, snapshot } };
}

interface ReceivedCase {
  name: string;
  event: DagEvent;
  parents: readonly string[];
  verdict: string;
  change?: (event: RoomEvent, dag: RoomDag) => Partial<RoomEvent>;
}

const cases: ReceivedCase[] = [
  {
    name: 'a message of a member after the ban of another',
    event: { ...talk, sender: '@alice:one' },
    parents: ['ban'],
    verdict: 'accepted',
  },
  {
    name: 'a message where both branches meet',
    event: { ...talk, sender: '@alice:one' },
    parents: ['topic', 'ban'],
    verdict: 'accepted',
  },
  {
    name: 'a message of the banned on the branch that does not know of the ban',
    event: talk,
    parents: ['topic'],
    verdict: 'soft_failed',
  },
  { name: 'a message of the banned after the ban', event: talk, parents: ['ban'], verdict: 'rejected' },
  {
    name: 'a message of the banned where both branches meet, with auth events from before',
    event: talk,
    parents: ['ban', 'topic'],
    change: (_, dag) => ({ authEvents: dag.received(talk, ['topic']).authEvents }),
    verdict: 'rejected',
  },
  {
    name: 'an event that cites the same entry twice',
    event: { ...talk, sender: '@alice:one' },
    parents: ['topic'],
    change: ({ authEvents }) => ({ authEvents: [...authEvents, ...authEvents.slice(-1)] }),
    verdict: 'rejected',
  },
];

const rows = ALL_RULES.flatMap((rules) => cases.map((row) => ({ ...row, rules, version: rules.version })));

test.for(rows)('version $version: $name is $verdict', async ({ rules, event, parents, change, verdict }) => {
  const { dag, receiving } = await room(rules);
  const made = dag.received(event, parents);
  const received = { ...made, ...change?.(made, dag) };
  expect(await judged(receiving, received)).toMatchObject({ judgement: { verdict } });
});

test('an event whose parents or auth events we lack has to wait for them', async () => {
  const rules = rulesOf('12');
  const { dag, receiving } = await room(rules);
  const made = dag.received({ ...talk, sender: '@alice:one' }, ['ban']);
  const received = {
    ...made,
    prevEvents: [dag.idOf('unknown-parent'), ...made.prevEvents],
    authEvents: [...made.authEvents, dag.idOf('unknown-auth')],
  };
  expect(await judged(receiving, received)).toEqual({
    outcome: 'missing',
    eventIds: [dag.idOf('unknown-parent'), dag.idOf('unknown-auth')],
  });
});

test('a parent of which only the event is known, not the state after it, is missing', async () => {
  const { dag, receiving } = await room(rulesOf('11'));
  await client.query('update events set flags = flags | 1 where event_id = $1', [dag.idOf('topic')]);
  const received = dag.received({ ...talk, sender: '@alice:one' }, ['topic']);
  expect(await judged(receiving, received)).toEqual({
    outcome: 'missing',
    eventIds: [dag.idOf('topic')],
  });
});

test('an event that cites a rejected event is rejected, and one that cites an event of another room, too', async () => {
  const { dag, receiving } = await room(rulesOf('11'));
  const received = dag.received({ ...talk, sender: '@alice:one' }, ['ban']);
  await client.query('update events set flags = flags | 2 where event_id = $1', [dag.idOf('alice')]);
  expect(await judged(receiving, received)).toMatchObject({
    judgement: { verdict: 'rejected', rule: 'auth_events.rejected' },
  });
  await client.query('update events set room_no = room_no + 1 where event_id = $1', [dag.idOf('alice')]);
  expect(await judged(receiving, received)).toMatchObject({
    judgement: { verdict: 'rejected', rule: 'auth_events.other_room' },
  });
});
