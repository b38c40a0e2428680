import { afterAll, beforeAll, expect, test } from 'vitest';
import { statementsDuring } from '../support/count-statements.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';
import { byText, type SyncAnswer, SyncReader } from '../support/sync-reader.ts';
import { waitFor } from '../support/wait-for.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2, config: { presence: { mode: 'Enabled' } } });
});
afterAll(() => server.stop());

const MINUTE = 60_000;
const number: unknown = expect.any(Number);

/** Reads and waits without being seen itself. */
async function watcher(): Promise<SyncReader> {
  return new SyncReader(server, await newClient(server), { setPresence: 'offline' });
}

async function together(...clients: RoomClient[]): Promise<string> {
  const [first, ...others] = clients;
  const roomId = (await first?.createRoom({ preset: 'public_chat' })) ?? '';
  for (const client of others) expect((await client.join(roomId)).status).toBe(200);
  return roomId;
}

function setPresence(client: RoomClient, presence: string, message?: string) {
  const body = { presence, ...(message !== undefined && { status_msg: message }) };
  return client.request('PUT', `/presence/${client.userId}/status`, body);
}

const getPresence = (reader: RoomClient, of: RoomClient) => reader.request('GET', `/presence/${of.userId}/status`);

function presenceOf(answer: SyncAnswer, client: RoomClient): Record<string, unknown> | undefined {
  return answer.presence.events.filter((event) => event.sender === client.userId).at(-1)?.content;
}

/** Syncs on until somebody is told to be as `state` says. */
function told(reader: SyncReader, client: RoomClient, state: object, replica = 0): Promise<object> {
  return waitFor(
    async () => {
      const content = presenceOf(await reader.next({ timeout: 1000, replica }), client);
      return content !== undefined && Object.entries(state).every(([key, value]) => content[key] === value) && content;
    },
    { what: `${client.userId} to be told as ${JSON.stringify(state)}` },
  );
}

/** As if a user had been active so much earlier, and their devices had been heard of so much earlier. */
async function age(client: RoomClient, { activeMs = 0, heardMs = 0 }): Promise<void> {
  const database = await server.database.connect();
  const userNo = await server.replicas[0]?.app.store.names.userNo(client.userId);
  await database.query(
    `update presence set last_active_at = last_active_at - $2, due_at = 0, untils = array(select u - $3 from unnest(untils) u)
     where user_no = $1`,
    [userNo, activeMs, heardMs],
  );
  await database.end();
}

const sweep = (replica = 0) => server.replicas[replica]?.app.sync.presence?.writer.sweep();

test.for([0, 1])(
  'who syncs is online to those who share a room, and to nobody else (reader at replica %i)',
  async (at) => {
    const [bob, stranger] = [await watcher(), await watcher()];
    const alice = await newClient(server);
    await together(alice, bob.client);
    await bob.next({ replica: at });
    await stranger.next({ replica: at });
    await new SyncReader(server, alice).next({ replica: 0 });
    const content = await told(bob, alice, { presence: 'online', currently_active: true }, at);
    expect(content).toMatchObject({ last_active_ago: number });
    expect(presenceOf(await stranger.next({ replica: at }), alice)).toBeUndefined();
    expect(await getPresence(stranger.client, alice)).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
    expect((await getPresence(bob.client.at(1 - at), alice)).body).toMatchObject({ presence: 'online' });
  },
);

test('a state that is set is there at once, with its message, and somebody else cannot set it', async () => {
  const [alice, bob] = [await newClient(server), await watcher()];
  await together(alice, bob.client);
  expect((await getPresence(alice, alice)).body).toMatchObject({ presence: 'offline' });
  expect((await getPresence(bob.client, bob.client)).body).toMatchObject({ presence: 'offline' });
  await bob.next();
  expect((await setPresence(alice, 'unavailable', 'at lunch')).body).toEqual({});
  expect((await getPresence(bob.client.at(1), alice)).body).toMatchObject({
    presence: 'unavailable',
    status_msg: 'at lunch',
    last_active_ago: number,
  });
  await told(bob, alice, { presence: 'unavailable', status_msg: 'at lunch' });
  await setPresence(alice, 'online');
  expect(await told(bob, alice, { presence: 'online' })).not.toHaveProperty('status_msg');
  await setPresence(alice.at(1), 'offline');
  await told(bob, alice, { presence: 'offline' });
  const path = `/presence/${alice.userId}/status`;
  expect((await bob.client.request('PUT', path, { presence: 'online' })).body).toMatchObject({
    errcode: 'M_FORBIDDEN',
  });
  expect((await alice.request('PUT', path, { presence: 'asleep' })).body).toMatchObject({ errcode: 'M_INVALID_PARAM' });
});

test.for([0, 1])('a new name or avatar is told with the presence (reader at replica %i)', async (at) => {
  const bob = await watcher();
  const alice = await newClient(server);
  await together(alice, bob.client);
  await setPresence(alice, 'online', 'here');
  await told(bob, alice, { presence: 'online', status_msg: 'here' }, at);
  const set = (field: string, value: string) =>
    alice.at(0).request('PUT', `/profile/${alice.userId}/${field}`, { [field]: value });
  expect((await set('displayname', 'Alice')).status).toBe(200);
  await told(bob, alice, { presence: 'online', displayname: 'Alice' }, at);
  expect((await set('avatar_url', 'mxc://one/a')).status).toBe(200);
  await told(bob, alice, { displayname: 'Alice', avatar_url: 'mxc://one/a' }, at);
  expect((await set('displayname', '')).status).toBe(200);
  await told(bob, alice, { displayname: undefined, avatar_url: 'mxc://one/a' }, at);
});

test('set_presence of a sync says unavailable, or nothing at all', async () => {
  const [alice, bob] = [new SyncReader(server, await newClient(server)), await watcher()];
  await together(alice.client, bob.client);
  await bob.next();
  await alice.next({ setPresence: 'offline' });
  expect((await getPresence(bob.client, alice.client)).body).toMatchObject({ presence: 'offline' });
  await alice.next({ setPresence: 'unavailable' });
  await told(bob, alice.client, { presence: 'unavailable' });
  await alice.next();
  await told(bob, alice.client, { presence: 'online' });
});

test('who does nothing is inactive, idle, active again with a message, and offline when silent', async () => {
  const [alice, bob] = [new SyncReader(server, await newClient(server)), await watcher()];
  const roomId = await together(alice.client, bob.client);
  await bob.next();
  await alice.next();
  await told(bob, alice.client, { presence: 'online', currently_active: true });
  await age(alice.client, { activeMs: MINUTE });
  await sweep(1);
  await told(bob, alice.client, { presence: 'online', currently_active: false });
  await age(alice.client, { activeMs: 4 * MINUTE });
  // Whoever asks need not wait for the sweep.
  expect((await getPresence(bob.client, alice.client)).body).toMatchObject({ presence: 'unavailable' });
  await sweep();
  const idle = await told(bob, alice.client, { presence: 'unavailable' });
  expect(idle).toMatchObject({ last_active_ago: number });
  expect(idle).not.toHaveProperty('currently_active');
  await alice.client.send(roomId, 'back again');
  await told(bob, alice.client, { presence: 'online', currently_active: true });
  await age(alice.client, { heardMs: 2 * MINUTE });
  await sweep(1);
  await told(bob, alice.client, { presence: 'offline' });
});

test('an initial sync, a room that is joined and a member who joins bring the presence of those who are there', async () => {
  const [alice, bob, carol] = [await newClient(server), await watcher(), await watcher()];
  const roomId = await together(alice, bob.client);
  await setPresence(alice, 'online', 'here');
  await alice.request('PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
  await alice.request('PUT', `/profile/${alice.userId}/avatar_url`, { avatar_url: 'mxc://one/a' });
  await age(alice, { activeMs: 2 * MINUTE });
  const first = presenceOf(await bob.next(), alice);
  const shown = { presence: 'online', status_msg: 'here', displayname: 'Alice', avatar_url: 'mxc://one/a' };
  expect(first).toMatchObject(shown);
  expect(first?.['last_active_ago']).toBeGreaterThanOrEqual(2 * MINUTE);
  expect(presenceOf(await carol.next(), alice)).toBeUndefined();
  await carol.client.join(roomId);
  expect(presenceOf(await carol.next(), alice)).toMatchObject({ presence: 'online', status_msg: 'here' });
  await setPresence(carol.client, 'unavailable');
  const dave = await watcher();
  const other = await together(dave.client);
  await dave.next();
  await carol.client.join(other);
  expect(presenceOf(await dave.next(), carol.client)).toBeDefined();
});

test('a filter decides whose presence is told, how much, and whether at all', async () => {
  const [alice, bob, carol] = [await newClient(server), await watcher(), await newClient(server)];
  await together(alice, bob.client, carol);
  for (const client of [alice, carol]) await setPresence(client, 'online');
  const senders = async (presence: object) =>
    (await bob.sync({ filter: { presence } })).presence.events.map((event) => event.sender ?? '').toSorted(byText);
  expect(await senders({})).toEqual([alice.userId, carol.userId].toSorted(byText));
  expect(await senders({ not_senders: [carol.userId] })).toEqual([alice.userId]);
  expect(await senders({ senders: [carol.userId] })).toEqual([carol.userId]);
  expect(await senders({ limit: 1 })).toHaveLength(1);
  for (const none of [{ limit: 0 }, { types: ['m.other'] }, { not_types: ['m.*'] }])
    expect(await senders(none)).toEqual([]);
});

test('a poll that presence wakes costs no query, and one that asks for none sleeps on', async () => {
  const [alice, bob] = [await newClient(server), await watcher()];
  const roomId = await together(alice, bob.client);
  const carol = new SyncReader(server, bob.client, { setPresence: 'offline', filter: { presence: { limit: 0 } } });
  for (const reader of [bob, carol]) reader.defaults = { ...reader.defaults, replica: 0 };
  await bob.next();
  await carol.next();
  const waiting = () => server.replicas[0]?.app.sync.notifier.waiting ?? 0;
  const statements = await statementsDuring(server.replicas[0], async () => {
    const [poll, deaf] = [bob.next({ timeout: 20_000 }), carol.next({ timeout: 20_000 })];
    await waitFor(() => waiting() === 2, { what: 'both polls to wait' });
    await setPresence(alice.at(1), 'online');
    expect(presenceOf(await poll, alice)).toMatchObject({ presence: 'online' });
    await waitFor(() => waiting() === 1, { what: 'the other poll to wait on' });
    await alice.send(roomId, 'this wakes everybody');
    expect((await deaf).presence.events).toEqual([]);
  });
  expect(statements.filter((name) => name.startsWith('memberships_select'))).toEqual([]);
});

test("what a user's own clients do ends none of their polls", async () => {
  const [alice, bob] = [await newClient(server), await newClient(server)];
  const roomId = await together(alice, bob);
  const reader = new SyncReader(server, alice, { replica: 0 });
  await reader.next();
  const poll = reader.next({ timeout: 20_000 });
  await waitFor(() => server.replicas[0]?.app.sync.notifier.waiting === 1, { what: 'the poll to wait' });
  await setPresence(alice.at(1), 'unavailable', 'from another device');
  await bob.send(roomId, 'only this does');
  const answer = await poll;
  expect(answer.rooms.join[roomId]?.timeline.events.map((event) => event.content['body'])).toEqual(['only this does']);
});

test('a client that goes from replica to replica misses no change', async () => {
  const [alice, bob] = [await newClient(server), await watcher()];
  await together(alice, bob.client);
  await bob.next({ replica: 0 });
  for (const [i, message] of ['one', 'two', 'three', 'four'].entries()) {
    await setPresence(alice.at(i % 2), 'online', message);
    await told(bob, alice, { status_msg: message }, (i + 1) % 2);
  }
});

test('a change that a replica was not told of is found by it later', async () => {
  const [alice, bob] = [await newClient(server), await watcher()];
  await together(alice, bob.client);
  await setPresence(alice, 'online');
  expect(presenceOf(await bob.next(), alice)).toMatchObject({ presence: 'online' });
  const database = await server.database.connect();
  const userNo = await server.replicas[0]?.app.store.names.userNo(alice.userId);
  await database.query(
    `update presence set status_msg = 'silently', changed_at = (extract(epoch from clock_timestamp()) * 1000)::int8
     where user_no = $1`,
    [userNo],
  );
  await database.end();
  await server.replicas[0]?.app.sync.presence?.feed.catchUp();
  await told(bob, alice, { status_msg: 'silently' });
});

test('where presence is off, everybody is offline and nothing is told', async () => {
  const quiet = await startHomeserver({ config: { presence: { mode: 'Disabled' } } });
  try {
    const alice = await newClient(quiet);
    await alice.createRoom();
    expect((await alice.request('PUT', `/presence/${alice.userId}/status`, { presence: 'online' })).status).toBe(200);
    expect(await alice.get(`/presence/${alice.userId}/status`)).toEqual({ presence: 'offline' });
    const reader = new SyncReader(quiet, alice);
    expect((await reader.next()).presence.events).toEqual([]);
    expect(reader.since).not.toContain('p');
  } finally {
    await quiet.stop();
  }
});
