import fc from 'fast-check';
import type pg from 'pg';
import { MatrixError } from '../../homeserver/errors.ts';
import type { App } from '../../homeserver/http/app.ts';
import { createRoomWriter } from '../../homeserver/pipeline/create-room-writer.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { RoomReceiver } from '../../homeserver/pipeline/room-receiver.ts';
import type { RoomEvent } from '../../homeserver/room/event-format.ts';
import type { EventId } from '../../homeserver/room/identifiers.ts';
import type { RoomVersionRules } from '../../homeserver/room/room-versions.ts';
import type { Store } from '../../homeserver/storage/store.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import {
  beginRoom,
  eventOf,
  ModelRoom,
  parentsFirst,
  received,
  storedRoom,
  type StoredRoom,
} from '../support/received-room.ts';
import { startedRoom, type DagEvent, type RoomDag } from '../support/room-dag.ts';
import { roomForks } from '../support/room-forks.ts';
import { ALL_RULES, member, rulesOf } from '../support/room-story.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let client: pg.Client;
let apps: App[];
let replicas: { store: Store; writer: RoomReceiver }[];
beforeAll(async () => {
  server = await startHomeserver({ replicas: 3 });
  client = await server.database.connect();
  apps = server.replicas.map(({ app }) => app);
  replicas = apps;
});
afterAll(() => server.stop());

let rooms = 0;
/** Rooms of any shape under ids that no other room has, with orders to deliver them in. */
function stories(rules: RoomVersionRules, numRuns: number, seed: number) {
  rooms += 1;
  const picks = fc.array(fc.nat(), { minLength: 40, maxLength: 40 });
  const samples = fc.sample(fc.tuple(fc.nat(), fc.array(picks, { minLength: 3, maxLength: 3 })), { numRuns, seed });
  return samples.map(([shape, orders], at) => {
    const salt = `-${rules.version}-${rooms}-${at}`;
    const [forks] = fc.sample(roomForks(rules, salt), { numRuns: 1, seed: shape });
    if (forks === undefined) throw new Error('no room was made');
    const { dag } = forks;
    const ordered = orders.map((order) => {
      let at = 0;
      return parentsFirst(dag, (n) => (order[at++ % order.length] ?? 0) % n);
    });
    return { dag, orders: ordered };
  });
}

function first(): Store {
  const [replica] = replicas;
  if (replica === undefined) throw new Error('there is no replica');
  return replica.store;
}

function asModel(model: ModelRoom, dag: RoomDag) {
  const members = [...model.state].filter(([key]) => key.startsWith('m.room.member\0'));
  const membersWith = (membership: string) =>
    members
      .filter(([, id]) => dag.events.get(id)?.content['membership'] === membership)
      .map(([key]) => key.split(':')[1]);
  const joined = membersWith('join');
  return {
    tips: new Set(model.tips),
    state: new Map(model.state),
    verdicts: new Map(model.verdicts),
    joined: joined.length,
    invited: membersWith('invite').length,
    servers: new Map([...new Set(joined)].map((name) => [name, joined.filter((other) => other === name).length])),
  };
}

function asStored({ tips, state, verdicts, joined, invited, servers }: StoredRoom) {
  return { tips: new Set(tips), state, verdicts, joined, invited, servers };
}

test.for(ALL_RULES)(
  'version $version: events that come in one by one end in what the rules alone make of them',
  async (rules) => {
    for (const { dag, orders } of stories(rules, 4, 70 + Number(rules.version))) {
      const roomNo = await beginRoom(first(), dag);
      const model = new ModelRoom(dag);
      for (const [at, event] of (orders[0] ?? []).entries()) {
        const outcome = await replicas[at % replicas.length]?.writer.receive(dag.roomId, received(dag, event));
        expect([event.eventId, outcome?.outcome]).toEqual([event.eventId, model.judge(event)]);
        model.receive(event);
      }
      expect(asStored(await storedRoom(client, roomNo))).toEqual(asModel(model, dag));
    }
  },
);

/** Gives the events to one replica, one after the other, and what it answers. */
async function deliver(replica: number, dag: RoomDag, events: readonly RoomEvent[]): Promise<Map<EventId, string>> {
  const outcomes = new Map<EventId, string>();
  for (const event of events) {
    const outcome = await replicas[replica]?.writer.receive(dag.roomId, received(dag, event));
    outcomes.set(event.eventId, outcome?.outcome ?? 'none');
  }
  return outcomes;
}

test.for(ALL_RULES)(
  'version $version: three replicas that get the same events at once, in any order, store each once and end in the same state',
  async (rules) => {
    for (const { dag, orders } of stories(rules, 3, 170 + Number(rules.version))) {
      const roomNo = await beginRoom(first(), dag);
      const answers = await Promise.all(orders.map((events, replica) => deliver(replica, dag, events)));
      const stored = await storedRoom(client, roomNo);
      const model = new ModelRoom(dag);
      for (const event of orders[0] ?? []) {
        const verdict = stored.verdicts.get(event.eventId);
        expect(answers.map((outcomes) => outcomes.get(event.eventId))).toEqual([verdict, verdict, verdict]);
        model.receive(event, verdict === 'outlier' ? undefined : verdict);
      }
      expect(asStored(stored)).toEqual(asModel(model, dag));
      expect(new Set(stored.timeline).size).toBe(stored.timeline.length);
    }
  },
);

/** As a caller does it: what the database could not answer is asked again. */
async function deliverStubbornly(
  replica: number,
  dag: RoomDag,
  events: readonly RoomEvent[],
): Promise<Map<EventId, string>> {
  const outcomes = new Map<EventId, string>();
  let waiting = events;
  for (let tries = 0; waiting.length > 0; tries += 1) {
    const [event] = waiting;
    const answer = event === undefined ? undefined : await deliver(replica, dag, [event]).catch(unlessAway);
    for (const [id, outcome] of answer ?? []) outcomes.set(id, outcome);
    if (answer !== undefined) waiting = waiting.slice(1);
    if (tries > 1000) throw new Error('the database does not come back');
  }
  return outcomes;
}

function unlessAway(error: unknown): undefined {
  if (!(error instanceof MatrixError) || error.status !== 503) throw error;
  return undefined;
}

test('connections that die while replicas receive lose nothing, double nothing and change no state', async () => {
  const superuser = await server.database.connectAsSuperuser();
  const kill = `select pg_terminate_backend(pid) from pg_stat_activity
    where datname = current_database() and application_name like 'homeserver-%'`;
  for (const { dag, orders } of stories(rulesOf('11'), 3, 300)) {
    const roomNo = await beginRoom(first(), dag);
    const work = Promise.all(orders.map((events, replica) => deliverStubbornly(replica, dag, events)));
    for (const share of [0.3, 0.6, 0.9]) {
      const wanted = Math.floor(dag.events.size * share);
      await waitFor(async () => (await storedRoom(client, roomNo)).verdicts.size >= wanted, { what: 'events' });
      await superuser.query(kill);
    }
    const answers = await work;
    const stored = await storedRoom(client, roomNo);
    const model = new ModelRoom(dag);
    for (const event of orders[0] ?? []) {
      const verdict = stored.verdicts.get(event.eventId);
      expect(answers.map((outcomes) => outcomes.get(event.eventId))).toEqual([verdict, verdict, verdict]);
      model.receive(event, verdict === 'outlier' ? undefined : verdict);
    }
    expect(asStored(stored)).toEqual(asModel(model, dag));
  }
});

/**
 * State resets as they have happened: what stands against the room's state comes in late, on a branch of its own or with a
 * clock that is wrong.
 */
const resets: {
  name: string;
  branch: [name: string, told: DagEvent][];
  holds: (dag: RoomDag) => [string, string][];
  tips: string[];
}[] = [
  {
    tips: ['ban', 'late'],
    name: 'a message on an old branch brings back neither a topic nor a name that was replaced since',
    branch: [['late', { type: 'm.room.message', sender: '@mod:one', ts: 99 }]],
    holds: (dag) => [
      ['m.room.topic\0', dag.idOf('topic')],
      ['m.room.power_levels\0', dag.idOf('demoted')],
    ],
  },
  {
    tips: ['ban'],
    name: 'power that was taken away is of no use on a branch from before, whatever its clock says',
    branch: [
      [
        'grab',
        {
          type: 'm.room.power_levels',
          stateKey: '',
          sender: '@mod:one',
          content: { events: { 'm.room.topic': 0 } },
          ts: 99,
        },
      ],
      ['takeover', { type: 'm.room.topic', stateKey: '', sender: '@mod:one', ts: 100 }],
    ],
    holds: (dag) => [
      ['m.room.topic\0', dag.idOf('topic')],
      ['m.room.power_levels\0', dag.idOf('demoted')],
    ],
  },
  {
    tips: ['ban'],
    name: 'a ban holds against a join of the banned on a branch from before it',
    branch: [
      ['return', { ...member('@alice:one', 'join'), content: { membership: 'join', displayname: 'x' }, ts: 99 }],
    ],
    holds: (dag) => [['m.room.member\0@alice:one', dag.idOf('ban')]],
  },
];

test.for(resets.flatMap((row) => ['2', '11', '12'].map((version) => ({ ...row, version }))))(
  'version $version: $name',
  async ({ branch, holds, tips, version }) => {
    rooms += 1;
    const users = { ...(version === '12' ? {} : { '@creator:one': 100 }), '@admin:one': 100 };
    const dag = startedRoom(rulesOf(version), {}, `-reset-${rooms}`)
      .add('old', { type: 'm.room.topic', stateKey: '', sender: '@mod:one', ts: 8 }, ['alice'])
      .add('topic', { type: 'm.room.topic', stateKey: '', sender: '@admin:one', ts: 9 }, ['old'])
      .add('demoted', { type: 'm.room.power_levels', stateKey: '', sender: '@admin:one', content: { users }, ts: 10 }, [
        'topic',
      ])
      .add('ban', { ...member('@alice:one', 'ban'), sender: '@admin:one', ts: 11 }, ['demoted']);
    for (const [at, [name, told]] of branch.entries()) {
      const isPower = told.type === 'm.room.power_levels';
      const content = isPower ? { ...told.content, users: { ...users, '@mod:one': 50 } } : (told.content ?? {});
      dag.add(name, { ...told, content }, [branch[at - 1]?.[0] ?? 'old']);
    }
    const roomNo = await beginRoom(first(), dag);
    await deliver(
      0,
      dag,
      [...dag.events.values()].filter((event) => event.prevEvents.length > 0),
    );
    const stored = await storedRoom(client, roomNo);
    for (const [key, id] of holds(dag)) expect([key, stored.state.get(key)]).toEqual([key, id]);
    expect(new Set(stored.tips)).toEqual(new Set(tips.map((name) => dag.idOf(name))));
  },
);

/** A writer of the first replica that lets `between` happen when its first batch is made, before that is written. */
function interrupted(between: () => Promise<unknown>) {
  const [app] = apps;
  if (app === undefined) throw new Error('there is no replica');
  const { store, config, keyring, log, metrics } = app;
  let happens: (() => Promise<unknown>) | undefined = between;
  const write: Store['batches']['write'] = async (input) => {
    const now = happens;
    happens = undefined;
    await now?.();
    return store.batches.write(input);
  };
  return createRoomWriter({ store: { ...store, batches: { write } }, config, keyring, log, metrics });
}

test.for(['2', '11', '12'])(
  'version %s: a branch that another replica stores in between counts for the state, also if its state is that of before',
  async (version) => {
    rooms += 1;
    const topic = { type: 'm.room.topic', stateKey: '', sender: '@mod:one' };
    const dag = startedRoom(rulesOf(version), {}, `-between-${rooms}`)
      .add('topic', { ...topic, ts: 9 }, ['alice'])
      .add('between', { type: 'm.room.message', sender: '@mod:one', ts: 10 }, ['topic'])
      // By itself it would replace the topic; beside the other branch the topic with the later clock stands.
      .add('stale', { ...topic, ts: 3 }, ['topic']);
    const roomNo = await beginRoom(first(), dag);
    const model = new ModelRoom(dag);
    const [between, stale] = [eventOf(dag, dag.idOf('between')), eventOf(dag, dag.idOf('stale'))];
    const earlier = [...dag.events.values()].filter(
      (event) => event.prevEvents.length > 0 && event !== between && event !== stale,
    );
    await deliver(1, dag, earlier);
    const writer = interrupted(() => deliver(2, dag, [between]));
    expect((await writer.receive(dag.roomId, received(dag, stale))).outcome).toBe('accepted');
    await writer.close();
    for (const event of [...earlier, between, stale]) model.receive(event);
    expect(model.state.get('m.room.topic\0')).toBe(dag.idOf('topic'));
    expect(asStored(await storedRoom(client, roomNo))).toEqual(asModel(model, dag));
  },
);
