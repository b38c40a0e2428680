import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type RunningPostgres, startPostgres } from '../support/embedded-postgres.ts';
import { type Answer, startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { anyNumber } from '../support/matching.ts';
import { createDatabase } from '../support/postgres.ts';
import { newClient, newTxnId, type RoomClient } from '../support/room-client.ts';
import { bodiesOf, SyncReader } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let folder: string;
let postgres: RunningPostgres;
let server: TestHomeserver;
let alice: RoomClient;
let bob: RoomClient;
let roomId: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-away-'));
  postgres = await startPostgres({ dataDirectory: folder, settings: { fsync: 'off' } });
  server = await startHomeserver({ database: await createDatabase({ server: postgres.address }) });
  [alice, bob] = [await newClient(server, 'alice'), await newClient(server, 'bob')];
  roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.join(roomId);
});
afterAll(async () => {
  await server.stop();
  await postgres.stop();
  await rm(folder, { recursive: true, force: true });
});

const login = {
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: 'alice' },
  password: 'password of alice',
};
const newUser = () => ({ username: `late${newTxnId()}`, password: 'password', auth: { type: 'm.login.dummy' } });

/** A sample of each kind of request. */
const samples: { name: string; ask: () => Promise<Answer> }[] = [
  { name: 'login', ask: () => server.request('POST', '/_matrix/client/v3/login', { body: login }) },
  { name: 'registration', ask: () => server.request('POST', '/_matrix/client/v3/register', { body: newUser() }) },
  { name: 'a profile', ask: () => server.request('GET', `/_matrix/client/v3/profile/${alice.userId}`) },
  { name: 'an initial sync', ask: () => alice.request('GET', '/sync') },
  { name: 'a sync that polls', ask: () => alice.request('GET', '/sync?since=s1&timeout=20000') },
  { name: 'a message', ask: () => alice.trySend(roomId, { msgtype: 'm.text', body: 'sample' }) },
  { name: 'a new room', ask: () => alice.tryCreate({}) },
  { name: 'state', ask: () => alice.setState(roomId, 'm.room.topic', { topic: 'sample' }) },
  { name: 'the whole state', ask: () => alice.request('GET', `/rooms/${roomId}/state`) },
  { name: 'members', ask: () => alice.request('GET', `/rooms/${roomId}/members`) },
  { name: 'history', ask: () => alice.request('GET', `/rooms/${roomId}/messages?dir=b`) },
  { name: 'joined rooms', ask: () => alice.request('GET', '/joined_rooms') },
  { name: 'account data', ask: () => alice.request('PUT', `/user/${alice.userId}/account_data/com.example`, { a: 1 }) },
  { name: 'push rules', ask: () => alice.request('GET', '/pushrules/') },
  { name: 'devices', ask: () => alice.request('GET', '/devices') },
];

const readiness = () => Promise.all(server.replicas.map((_, replica) => server.request('GET', '/readyz', { replica })));

const whoAreWe = () =>
  Promise.all(
    [alice, bob].flatMap((client) =>
      server.replicas.map((_, replica) => client.at(replica).request('GET', '/account/whoami')),
    ),
  );

const statusesOf = (answers: readonly Answer[]) => answers.map(({ status }) => status);

test('a database that is stopped gives 503 and when to come again, and what waits goes on when it is back', async () => {
  const readers = await Promise.all(
    server.replicas.map(() => newClient(server).then((client) => new SyncReader(server, client))),
  );
  for (const { client } of readers) await client.join(roomId);
  await Promise.all(readers.map((reader, replica) => reader.next({ replica })));
  const polls = readers.map((reader, replica) => reader.next({ replica, timeout: 60_000 }));
  const waiting = () => server.replicas.every((replica) => replica.app.sync.notifier.waiting > 0);
  await waitFor(waiting, { what: 'a poll to wait at each replica' });

  // In a room that concerns nobody who waits: whom the last message before the end wakes may find no database to read it from.
  const ownRoom = await bob.createRoom();
  const txnId = newTxnId();
  const say = () => bob.trySend(ownRoom, { msgtype: 'm.text', body: 'while it stops' }, { txnId });
  const underWay = say();
  await postgres.stop();
  // Who is still known for a second gets as far as a batch, which waits 20 s for the database.
  await waitFor(async () => (await whoAreWe()).every(({ status }) => status === 503), {
    what: 'every replica to look tokens up',
  });
  expect(statusesOf(await readiness())).toEqual([503, 503]);
  const away = { status: 503, body: { errcode: 'M_UNKNOWN', retry_after_ms: anyNumber() } };
  for (const { name, ask } of [...samples, ...samples]) {
    const answer = await ask();
    expect({ name, answer }).toMatchObject({ name, answer: away });
    expect(answer.headers.get('retry-after')).toMatch(/^\d+$/);
  }

  postgres = await startPostgres({ dataDirectory: folder, port: postgres.address.port, settings: { fsync: 'off' } });
  await waitFor(async () => (await readiness()).every(({ status }) => status === 200), {
    what: 'the replicas to be ready',
  });
  for (const { name, ask } of [...samples, ...samples])
    expect({ name, answer: await ask() }).toMatchObject({ name, answer: { status: 200 } });
  // Whatever became of the first try, the message is there once.
  expect([200, 503]).toContain((await underWay).status);
  expect((await say()).status).toBe(200);
  const history = bodiesOf((await new SyncReader(server, bob).messages(ownRoom, { dir: 'b', limit: '100' })).chunk);
  expect(history.filter((body) => body === 'while it stops')).toHaveLength(1);
  for (const poll of polls) expect(Object.keys((await poll).rooms.join)).toEqual([roomId]);
}, 90_000);
