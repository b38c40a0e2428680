import type pg from 'pg';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { App } from '../../homeserver/http/app.ts';
import { AuthChainIndex } from '../../homeserver/pipeline/auth-chain-index.ts';
import { numberedState } from '../../homeserver/pipeline/numbered-state.ts';
import { ResolutionPool } from '../../homeserver/pipeline/resolution-pool.ts';
import { StateResolver } from '../../homeserver/pipeline/resolve-state.ts';
import { selectSnapshotChain } from '../../homeserver/storage/room-reads/select-snapshot-chain.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { rulesOf } from '../support/room-story.ts';
import { byText } from '../support/sync-reader.ts';

let server: TestHomeserver;
let client: pg.Client;
let apps: readonly [App, App];
let admin: RoomClient;
let mod: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2 });
  client = await server.database.connect();
  const [first, second] = server.replicas.map(({ app }) => app);
  if (first === undefined || second === undefined) throw new Error('two replicas were asked for');
  apps = [first, second];
  [admin, mod] = [await newClient(server), await newClient(server)];
});
afterAll(() => server.stop());

interface RoomRow {
  room_no: string;
  snapshot: string;
  states: string[];
}

const ROOM = `
select r.room_no, r.snapshot, array_agg(e.state_after::text) as states
from rooms r join events e on e.event_no = any(r.tips) where r.room_id = $1 group by r.room_no, r.snapshot`;

/** Every state and set of extremities that the room comes to have while `work` goes on. */
async function watch(roomId: string, work: Promise<unknown>): Promise<Map<string, RoomRow>> {
  const seen = new Map<string, RoomRow>();
  let done = false;
  const watching = (async () => {
    while (!done) {
      const { rows } = await client.query<RoomRow>(ROOM, [roomId]);
      for (const row of rows) seen.set(`${row.snapshot} of ${row.states.toSorted(byText).join()}`, row);
    }
  })();
  await work.finally(() => {
    done = true;
  });
  await watching;
  return seen;
}

/** The state by a room's row, and what its extremities make together. */
async function bothStates(row: RoomRow, resolver: StateResolver) {
  const room = { roomNo: Number(row.room_no), rules: rulesOf('11') };
  const together = await resolver.resolve(room, row.states.map(Number));
  const stateOf = async (snapshot: number) => numberedState(await selectSnapshotChain(apps[0].store.db, snapshot));
  return { stored: await stateOf(Number(row.snapshot)), resolved: await stateOf(together) };
}

/** Each leaves one or two states with branches, so that some are seen in any case. */
const ROUNDS = 30;

async function writeMuch(roomId: string): Promise<void> {
  for (let round = 0; round < ROUNDS; round += 1) await writeRound(roomId, round);
}

/** Two chains of writes at each replica, which run into each other. */
async function writeRound(roomId: string, round: number): Promise<void> {
  const [one, other] = round % 2 === 0 ? [admin, mod] : [mod, admin];
  const join_rule = round % 3 === 0 ? 'knock' : 'public';
  const say = (replica: number, body: string) => () =>
    one
      .at(replica)
      .trySend(roomId, { msgtype: 'm.text', body })
      .then(({ status }) => status);
  const set =
    (by: RoomClient, type: string, content: object, key = '') =>
    () =>
      by.setState(roomId, type, content, key).then(({ status }) => status);
  const chains = [
    [set(one.at(0), 'm.room.join_rules', { join_rule, round }), say(0, 'a'), say(0, 'b')],
    [say(0, 'c'), set(one.at(0), 'm.test', { round }, String(round)), say(0, 'd')],
    [set(other.at(1), 'm.room.topic', { topic: String(round) }), say(1, 'e'), say(1, 'f')],
    [say(1, 'g'), set(other.at(1), 'm.test', { round }, `other ${round}`), say(1, 'h')],
  ];
  const statuses = await Promise.all(chains.map(inTurn));
  expect(new Set(statuses.flat())).toEqual(new Set([200]));
}

async function inTurn<T>(steps: readonly (() => Promise<T>)[]): Promise<T[]> {
  const results: T[] = [];
  for (const step of steps) results.push(await step());
  return results;
}

test('whatever two replicas write at once, the state of the room is that of its extremities, and nothing acknowledged is lost', async () => {
  const pool = new ResolutionPool();
  const index = new AuthChainIndex(apps[0].store);
  const resolver = new StateResolver({ store: apps[0].store, index, pool });
  const users = { [admin.userId]: 100, [mod.userId]: 50 };
  const power_level_content_override = { users, events: { 'm.room.join_rules': 50, 'm.test': 0 } };
  const options = { preset: 'public_chat', room_version: '11', power_level_content_override };
  const roomId = await admin.createRoom(options);
  expect((await mod.join(roomId)).status).toBe(200);
  const seen = await watch(roomId, writeMuch(roomId));
  for (const row of seen.values()) {
    const { stored, resolved } = await bothStates(row, resolver);
    expect([row, resolved]).toEqual([row, stored]);
  }
  const kept = (await admin.state(roomId))
    .filter(({ type }) => type === 'm.test')
    .map((event) => event.content['round']);
  expect(new Set(kept)).toEqual(new Set(Array.from({ length: ROUNDS }, (_, i) => i)));
  // Otherwise nothing of this was tried.
  expect([...seen.values()].filter(({ states }) => new Set(states).size > 1).length).toBeGreaterThan(0);
  index.close();
  await pool.close();
});
