import { afterAll, beforeAll, expect, test } from 'vitest';
import { parseSyncToken } from '../../homeserver/sync/position.ts';
import { selectChangesSince } from '../../homeserver/storage/sync-reads/select-changes.ts';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { eventIdOf, newClient, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, SyncReader } from '../support/sync-reader.ts';

/** What readers of a room share of its news is what the database would tell each of them. Replica 0 reads, both write. */
let server: TestHomeserver;
let clients: RoomClient[];
beforeAll(async () => {
  // No replica tells the other of its commits.
  server = await startHomeserver({ replicas: 2, wakeUps: 'lost' });
  clients = await Promise.all(['alice', 'bob', 'carol', 'dave'].map((name) => newClient(server, name)));
});
afterAll(() => server.stop());

function appOf(replica: number) {
  const app = server.replicas[replica]?.app;
  if (app === undefined) throw new Error(`there is no replica ${replica}`);
  return app;
}

/** What a user does next, by chance: mostly talk. */
function act(client: RoomClient, rooms: readonly string[], dice: () => number): Promise<unknown> {
  const roomId = rooms[Math.floor(dice() * rooms.length)] ?? '';
  const path = `/rooms/${encodeURIComponent(roomId)}`;
  const at = client.at(dice() < 0.5 ? 0 : 1);
  const event = lastEvents.get(roomId) ?? '$none';
  const choices: [number, () => Promise<unknown>][] = [
    [0.5, () => talk(at, roomId, `said ${dice()}`)],
    [0.6, () => at.request('POST', `${path}/receipt/m.read/${encodeURIComponent(event)}`, {})],
    [0.65, () => at.request('POST', `${path}/receipt/m.read.private/${encodeURIComponent(event)}`, {})],
    [0.7, () => at.request('PUT', `${path}/state/m.room.topic/`, { topic: `about ${dice()}` })],
    [0.75, () => at.request('PUT', `/user/${client.userId}/account_data/com.example.it`, { it: dice() })],
    [
      0.8,
      () =>
        at.request('PUT', `/user/${client.userId}/account_data/m.ignored_user_list`, {
          ignored_users: dice() < 0.5 ? {} : { '@nobody:test.example': {} },
        }),
    ],
    [
      0.85,
      () => at.request('PUT', `/pushrules/global/content/r${Math.floor(dice() * 3)}`, { actions: [], pattern: 'x' }),
    ],
    [0.9, () => at.request('POST', `${path}/leave`, {})],
    [1, () => at.request('POST', `${path}/join`, {})],
  ];
  const roll = dice();
  const [, chosen] = choices.find(([below]) => roll < below) ?? [1, () => Promise.resolve()];
  return chosen();
}

const lastEvents = new Map<string, string>();

/** Who has left says nothing. */
async function talk(client: RoomClient, roomId: string, body: string): Promise<void> {
  const answer = await client.trySend(roomId, { msgtype: 'm.text', body });
  if (answer.status === 200) lastEvents.set(roomId, eventIdOf(answer));
}

/** The same numbers in each run. */
function newDice(): () => number {
  let state = 20_261_128;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

test('what is told from memory is what the database says, whoever writes what where', {
  timeout: 120_000,
}, async () => {
  const [alice] = clients as [RoomClient];
  const rooms = await Promise.all([0, 1, 2].map(() => alice.createRoom({ preset: 'public_chat' })));
  for (const client of clients.slice(1)) for (const roomId of rooms) await client.join(roomId);
  const { sync, store } = appOf(0);
  const readers = clients.map((client) => new SyncReader(server, client));
  const tokens: number[] = [];
  for (const reader of readers) tokens.push(positionOf((await reader.next({ replica: 0 })).next_batch));
  const dice = newDice();
  const looks = { remembered: 0, asked: 0 };
  for (let round = 0; round < 150; round += 1) {
    const [client, reader] = [clients, readers].map((all) => all[Math.floor(dice() * all.length)]) as [
      RoomClient,
      SyncReader,
    ];
    await act(client, rooms, dice);
    await store.feed.catchUp();
    const userNo = await store.names.userNo(reader.client.userId);
    for (const since of tokens.slice(-3)) {
      const found = await sync.changes.read(userNo, since);
      looks[found === undefined ? 'asked' : 'remembered'] += 1;
      if (found === undefined) continue;
      const { joined, head, ...expected } = await selectChangesSince(store.db, userNo, since, false);
      expect(found.interest.rooms).toEqual(new Set(joined));
      expect(found.changes).toEqual({ ...expected, head: found.changes.head });
      expect(found.changes.head).toBeLessThanOrEqual(head);
    }
    if (dice() < 0.5) tokens.push(positionOf((await reader.next({ replica: 0 })).next_batch));
  }
  // Otherwise nothing was shown.
  expect(looks.remembered).toBeGreaterThan(40);
  expect(looks.asked).toBeGreaterThan(40);
});

function positionOf(token: string): number {
  return parseSyncToken(token)?.position ?? Number.NaN;
}

test('a reader who does not wait is told at once of what another replica has acknowledged', async () => {
  const [alice, bob, carol] = clients as [RoomClient, RoomClient, RoomClient];
  const roomId = await alice.at(1).createRoom({ preset: 'public_chat' });
  const [first, second] = [new SyncReader(server, bob), new SyncReader(server, carol)];
  for (const { client } of [first, second]) await client.at(1).join(roomId);
  const told = async (reader: SyncReader) =>
    bodiesOf((await reader.next({ replica: 0 })).rooms.join[roomId]?.timeline.events ?? []);
  for (const reader of [first, second]) await told(reader);
  for (let i = 0; i < 10; i += 1) {
    await alice.at(0).send(roomId, `known ${i}`);
    expect(await told(first)).toEqual([`known ${i}`]);
    // What the other one was told is not all that there is by now.
    await alice.at(1).send(roomId, `news ${i}`);
    expect(await told(second)).toEqual([`known ${i}`, `news ${i}`]);
    expect(await told(first)).toEqual([`news ${i}`]);
  }
});

test('all who are told of a message share two queries', async () => {
  const [alice, ...others] = clients as [RoomClient, ...RoomClient[]];
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  const readers = others.map((client) => new SyncReader(server, client));
  for (const { client } of readers) await client.join(roomId);
  for (const reader of readers) await reader.next({ replica: 0 });
  await alice.at(0).send(roomId, 'first');
  for (const reader of readers) await reader.next({ replica: 0 });
  await alice.at(0).send(roomId, 'second');
  for (const reader of readers) await reader.next({ replica: 0 });
  const names = await statementsDuring(server.replicas[0], async () => {
    await alice.at(0).send(roomId, 'third');
    const told = await Promise.all(readers.map((reader) => reader.next({ replica: 0 })));
    for (const answer of told) expect(bodiesOf(answer.rooms.join[roomId]?.timeline.events ?? [])).toEqual(['third']);
  });
  const seldom = ['devices_update_seen', 'access_tokens_select_owners'];
  expect(names.filter((name) => !seldom.includes(name))).toEqual(['rooms_select_news', 'events_select_newest']);
});
