import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { checkDirectory } from '../../homeserver/accounts/user-directory.ts';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { newClient, type RoomClient } from '../support/room-client.ts';

let server: TestHomeserver;
let reader: RoomClient;
beforeAll(async () => {
  server = await startHomeserver({ replicas: 2, spread: true });
  reader = await newClient(server, 'reader');
});
afterAll(() => server.stop());

const Found = z.object({
  limited: z.boolean(),
  results: z.array(
    z.object({ user_id: z.string(), display_name: z.string().optional(), avatar_url: z.string().optional() }),
  ),
});

async function search(by: RoomClient, term: string, limit?: number) {
  const body = { search_term: term, ...(limit !== undefined && { limit }) };
  return Found.parse((await by.request('POST', '/user_directory/search', body)).body);
}

const namesFound = async (by: RoomClient, term: string) =>
  (await search(by, term)).results.map((user) => user.user_id.slice(1, user.user_id.indexOf(':')));

async function named(localpart: string, displayName?: string): Promise<RoomClient> {
  const client = await newClient(server, localpart);
  if (displayName !== undefined) {
    await client.request('PUT', `/profile/${client.userId}/displayname`, { displayname: displayName });
  }
  return client;
}

/** Makes the users known to each other in a private room. */
async function introduce(one: RoomClient, ...others: RoomClient[]): Promise<string> {
  const roomId = await one.createRoom({ preset: 'private_chat', invite: others.map((other) => other.userId) });
  for (const other of others) await other.join(roomId);
  return roomId;
}

test('users are found by the beginnings of the words of their name and display name, whatever the case and marks', async () => {
  const [zoe, yamada] = [await named('zed_omega', 'Zoë Ünal-Smith'), await named('ty', '山田太郎')];
  await introduce(reader, zoe, yamada);
  for (const term of [
    'zed',
    'OMEGA',
    'zoe',
    'ZOË',
    'unal smi',
    'smith zo',
    '@zed_omega',
    `${zoe.userId}`,
    '@zed_omega:test',
  ])
    expect([term, await namesFound(reader, term)]).toEqual([term, ['zed_omega']]);
  for (const term of ['山田', '太郎']) expect(await namesFound(reader, term)).toEqual(['ty']);
  for (const term of ['mega', 'smith alice', '', ' - ', '@zed_omega:other', '\\'])
    expect([term, await namesFound(reader, term)]).toEqual([term, []]);
});

test('only those are found who share a room, or are in a public or world-readable one', async () => {
  const hidden = await named('hideous');
  expect(await namesFound(reader, 'hideous')).toEqual([]);
  const roomId = await introduce(reader, hidden);
  expect(await namesFound(reader, 'hideous')).toEqual(['hideous']);
  await hidden.act('leave', roomId);
  expect(await namesFound(reader, 'hideous')).toEqual([]);
  const open = await hidden.createRoom({ preset: 'public_chat' });
  expect(await namesFound(reader, 'hideous')).toEqual(['hideous']);
  await hidden.setState(open, 'm.room.join_rules', { join_rule: 'invite' });
  expect(await namesFound(reader, 'hideous')).toEqual([]);
  await hidden.setState(open, 'm.room.history_visibility', { history_visibility: 'world_readable' });
  expect(await namesFound(reader, 'hideous')).toEqual(['hideous']);
  expect(await namesFound(hidden, 'hideous')).toEqual([]);
});

test('a changed profile is found at once, and a name in one room tells nothing', async () => {
  const alice = await named('someone', 'Cooper');
  const bob = await newClient(server);
  const roomId = await introduce(alice, reader, bob);
  expect((await search(reader, 'cooper')).results).toEqual([{ user_id: alice.userId, display_name: 'Cooper' }]);
  await alice.setState(roomId, 'm.room.member', { membership: 'join', displayname: 'Freddy' }, alice.userId);
  expect(await namesFound(reader, 'freddy')).toEqual([]);
  const path = `/profile/${alice.userId}`;
  await alice.request('PUT', `${path}/avatar_url`, { avatar_url: 'mxc://test.example/face' });
  await alice.request('PUT', `${path}/displayname`, { displayname: 'Furnier' });
  expect(await namesFound(reader, 'cooper')).toEqual([]);
  expect((await search(reader, 'furnier')).results).toEqual([
    { user_id: alice.userId, display_name: 'Furnier', avatar_url: 'mxc://test.example/face' },
  ]);
  await alice.request('DELETE', `${path}/displayname`);
  expect(await namesFound(reader, 'furnier')).toEqual([]);
});

test('the limit is kept and told, and who is called just that comes first', async () => {
  const many = await Promise.all(['kimball', 'kimberley', 'kimono', 'kim'].map((name) => named(name)));
  await introduce(reader, ...many);
  expect((await search(reader, 'kim')).limited).toBe(false);
  const first = await search(reader, 'kim', 3);
  expect(first).toMatchObject({ limited: true });
  expect(first.results.map((user) => user.user_id)).toEqual(
    ['kim', 'kimball', 'kimberley'].map((name) => `@${name}:test.example`),
  );
  expect(await search(reader, 'kim', 0)).toEqual({ limited: true, results: [] });
  const wrong = await reader.request('POST', '/user_directory/search', { search_term: 'kim', limit: -1 });
  expect(wrong).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
});

test('rows that are missing or wrong are mended by the check, which then rests', async () => {
  const [lost, stale] = [await named('lost', 'Lost Soul'), await named('stale', 'Stale Bread')];
  await introduce(reader, lost, stale);
  const database = await server.database.connect();
  const numbers = async (client: RoomClient) => server.replicas[0]?.app.store.names.userNo(client.userId);
  await database.query('delete from user_directory where user_no = $1', [await numbers(lost)]);
  await database.query(`update user_directory set words = array_to_tsvector('{old}') where user_no = $1`, [
    await numbers(stale),
  ]);
  expect(await namesFound(reader, 'lost')).toEqual([]);
  await database.query('update user_directory_progress set user_no = 0, finished_at = 0');
  const db = server.replicas[1]?.app.store.db;
  if (db === undefined) throw new Error('there is no second replica');
  const check = () => checkDirectory((work) => db.transaction(work), 10);
  await check();
  expect(await namesFound(reader, 'lost soul')).toEqual(['lost']);
  expect(await namesFound(reader, 'stale bread')).toEqual(['stale']);
  await database.query('delete from user_directory where user_no = $1', [await numbers(lost)]);
  await check();
  expect(await namesFound(reader, 'lost')).toEqual([]);
  await database.end();
});

test('where the configuration opens the directory, everybody of the server is found', async () => {
  const open = await startHomeserver({ config: { userDirectory: { visibility: 'All' } } });
  try {
    const [alice, bob] = [await newClient(open, 'alice'), await newClient(open, 'bob')];
    expect((await search(alice, 'bob')).results).toEqual([{ user_id: bob.userId }]);
  } finally {
    await open.stop();
  }
});

test('mutual rooms are those that both have joined, a hundred a page', async () => {
  const [alice, bob] = [await newClient(server), await newClient(server)];
  const mutual = (query: string, by = alice) => by.request('GET', `/_matrix/client/v1/mutual_rooms${query}`);
  expect((await mutual(`?user_id=${bob.userId}`)).body).toEqual({ joined: [], count: 0 });
  expect((await mutual('?user_id=@nobody:test.example')).body).toEqual({ joined: [], count: 0 });
  const roomId = await introduce(alice, bob);
  await alice.createRoom({ invite: [bob.userId] });
  expect((await mutual(`?user_id=${bob.userId}`)).body).toEqual({ joined: [roomId], count: 1 });
  expect((await mutual(`?user_id=${alice.userId}`, bob)).body).toEqual({ joined: [roomId], count: 1 });
  for (const query of ['', `?user_id=${alice.userId}`, '?user_id=nobody', `?user_id=${bob.userId}&from=x`]) {
    expect((await mutual(query)).status).toBe(400);
  }
  const database = await server.database.connect();
  const names = server.replicas[0]?.app.store.names;
  const userNos = [await names?.userNo(alice.userId), await names?.userNo(bob.userId)];
  await database.query(
    `with many as (
       insert into rooms (room_no, room_id, version, snapshot, tips, last_position, bump_position)
       select 9000000 + i, '!many' || i, 12, 0, '{}', 0, 0 from generate_series(1, 150) i returning room_no
     ) insert into memberships (room_no, user_no, event_no, position, membership)
     select room_no, u, 0, 0, 1 from many, unnest($1::int8[]) u`,
    [userNos],
  );
  await database.end();
  const Page = z.object({ joined: z.array(z.string()), count: z.number(), next_batch: z.string().optional() });
  const first = Page.parse((await mutual(`?user_id=${bob.userId}`)).body);
  const second = Page.parse((await mutual(`?user_id=${bob.userId}&from=${first.next_batch ?? ''}`)).body);
  expect([first.count, first.joined.length, second.joined.length, second.next_batch]).toEqual([
    151,
    100,
    51,
    undefined,
  ]);
  expect(new Set([...first.joined, ...second.joined]).size).toBe(151);
});
