import { afterAll, beforeAll, expect, test } from 'vitest';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, RoomClient } from '../support/room-client.ts';
import { bodiesOf, SyncReader } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
let alice: RoomClient;
beforeAll(async () => {
  // Each test says at which replica a poll waits, and looks into that one.
  server = await startHomeserver({ spread: false });
  alice = await newClient(server, 'alice');
});
afterAll(() => server.stop());

const LONG = 20_000;

async function newReader(): Promise<SyncReader> {
  return new SyncReader(server, await newClient(server));
}

/** How many polls a replica holds. */
function waitingAt(replica: number): number {
  return server.replicas[replica]?.app.sync.notifier.waiting ?? -1;
}

const polling = (replica = 0, polls = 1) =>
  waitFor(() => waitingAt(replica) >= polls, { what: `${polls} polls to wait at replica ${replica}` });

test.for([0, 1])('a poll at replica %i is woken by a message sent at replica 0', async (replica) => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await bob.next({ replica });
  const poll = bob.next({ timeout: LONG, replica });
  await polling(replica);
  await alice.send(roomId, 'wake up');
  expect(bodiesOf((await poll).rooms.join[roomId]?.timeline.events ?? [])).toEqual(['wake up']);
});

test('a poll is woken by an invite, by account data from another device, and by a join of its user', async () => {
  const bob = await newReader();
  await bob.next();
  const woken = async (act: () => Promise<unknown>) => {
    const poll = bob.next({ timeout: LONG });
    await polling();
    await act();
    return poll;
  };
  const roomId = await alice.createRoom({ preset: 'private_chat' });
  const invited = await woken(() => alice.act('invite', roomId, { user_id: bob.client.userId }));
  expect(Object.keys(invited.rooms.invite)).toEqual([roomId]);
  const path = `/user/${bob.client.userId}/account_data/com.example.setting`;
  const changed = await woken(() => bob.client.at(1).request('PUT', path, { on: true }));
  expect(changed.account_data.events).toEqual([{ type: 'com.example.setting', content: { on: true } }]);
  const joined = await woken(() => bob.client.at(1).join(roomId));
  expect(Object.keys(joined.rooms.join)).toEqual([roomId]);
});

test('while nothing concerns the user a poll runs no query, and it ends at its timeout with the same token', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.next();
  await bob.next();
  const before = bob.since;
  const names = await statementsDuring(server.replicas[0], async () => {
    const poll = bob.next({ timeout: 700 });
    await polling();
    for (let i = 0; i < 5; i += 1) await alice.send(roomId, `elsewhere ${i}`);
    expect((await poll).next_batch).toBe(before);
  });
  // Requests look their tokens up again after a second, and write down now and then which devices are used; the poll itself asks nothing.
  const own = names.filter((name) => !['access_tokens_select_owners', 'devices_update_seen'].includes(name));
  expect(own).toEqual([]);
});

test.for(['second', 'the reader'])(
  'a poll that is woken by a message runs two queries, whoever it names (%s)',
  async (what) => {
    const bob = await newReader();
    const roomId = await alice.createRoom({ preset: 'public_chat' });
    await bob.client.join(roomId);
    await bob.next();
    await alice.send(roomId, 'first');
    await bob.next();
    const body = what === 'the reader' ? `${bob.client.userId}: second` : what;
    const names = await statementsDuring(server.replicas[0], async () => {
      const poll = bob.next({ timeout: LONG });
      await polling();
      await alice.at(1).send(roomId, body);
      const room = (await poll).rooms.join[roomId];
      expect(bodiesOf(room?.timeline.events ?? [])).toEqual([body]);
      expect(room?.unread_notifications).toMatchObject({ highlight_count: what === 'the reader' ? 1 : 0 });
    });
    // When a device was last seen is written once a minute, whatever it asks.
    const own = names.filter((name) => name !== 'devices_update_seen');
    expect(own).toEqual(['rooms_select_news', 'events_select_newest']);
  },
);

test('a client that hangs up frees its place', async () => {
  const bob = await newReader();
  await bob.next();
  const already = waitingAt(0);
  const hangUp = new AbortController();
  const poll = bob.next({ timeout: LONG, signal: hangUp.signal });
  await waitFor(() => waitingAt(0) === already + 1, { what: 'the poll to wait' });
  hangUp.abort();
  await expect(poll).rejects.toThrow('abort');
  await waitFor(() => waitingAt(0) === already, { what: 'the poll to be gone' });
});

test('a sync at another replica sees what was just written', async () => {
  const bob = await newReader();
  const roomId = await alice.createRoom({ preset: 'public_chat' });
  await bob.client.join(roomId);
  await bob.next();
  for (let i = 0; i < 20; i += 1) {
    await alice.at(i % 2).send(roomId, `message ${i}`);
    const answer = await bob.next({ replica: (i + 1) % 2 });
    expect(bodiesOf(answer.rooms.join[roomId]?.timeline.events ?? [])).toEqual([`message ${i}`]);
  }
});

test('a token from the future gives nothing and stays as it is', async () => {
  const bob = await newReader();
  const { next_batch: now } = await bob.next();
  const future = `s${Number(now.slice(1)) + 1_000_000}`;
  expect((await bob.sync({ since: future, timeout: 50 })).next_batch).toBe(future);
});

test('a replica that drains answers its polls at once', async () => {
  const replica = await server.addReplica();
  const number = server.replicas.indexOf(replica);
  const bob = await newReader();
  await bob.next();
  const poll = bob.next({ timeout: LONG, replica: number });
  await polling(number);
  await replica.stop({ settleMs: 0, drainMs: LONG });
  expect((await poll).rooms.join).toEqual({});
});

test.for([0, 1])('a poll at replica %i ends without news when its session is ended at replica 0', async (replica) => {
  const owner = await newClient(server);
  const stolen = await server.login(owner.user);
  const reader = new SyncReader(server, new RoomClient(server, stolen));
  await reader.next({ replica });
  const poll = expect(reader.next({ timeout: LONG, replica })).rejects.toThrow('M_UNKNOWN_TOKEN');
  await polling(replica);
  expect((await owner.request('POST', '/logout/all', {})).status).toBe(200);
  await poll;
});

test('a late word that older sessions of a device have ended does not end the newest one', async () => {
  const owner = await newClient(server);
  const tokens = server.replicas[0]?.app.tokens;
  const first = await tokens?.ownerOf(owner.user.token);
  const again = await server.login(owner.user, { deviceId: first?.deviceId ?? '' });
  const reader = new SyncReader(server, new RoomClient(server, again));
  await reader.next({ replica: 1 });
  const poll = reader.next({ timeout: LONG, replica: 1 });
  await polling(1);
  tokens?.revoked([first?.deviceNo ?? 0]);
  expect((await poll).rooms.join).toEqual({});
  expect(await owner.request('GET', '/account/whoami')).toMatchObject({ status: 401 });
  await reader.next();
});
