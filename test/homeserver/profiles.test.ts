import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { spreadProfile } from '../../homeserver/accounts/spread-profile.ts';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver();
});
afterAll(() => server.stop());

const Room = z.looseObject({ room_id: z.string() });
const profilePath = (user: TestUser, field = '') =>
  `/_matrix/client/v3/profile/${encodeURIComponent(user.userId)}${field === '' ? '' : `/${field}`}`;
const setField = (user: TestUser, field: string, value: unknown, replica = 0) =>
  server.request('PUT', profilePath(user, field), { token: user.token, body: { [field]: value }, replica });

async function createRoom(user: TestUser): Promise<string> {
  const body = { preset: 'public_chat' };
  return Room.parse((await server.request('POST', '/_matrix/client/v3/createRoom', { token: user.token, body })).body)
    .room_id;
}

async function memberEvent(user: TestUser, roomId: string, reader = user): Promise<unknown> {
  const path = `/_matrix/client/v3/rooms/${roomId}/state/m.room.member/${encodeURIComponent(user.userId)}`;
  return (await server.request('GET', path, { token: reader.token })).body;
}

test('a new user has an empty profile, an unknown one has none', async () => {
  const alice = await server.register();
  expect(await server.request('GET', profilePath(alice))).toMatchObject({ status: 200, body: {} });
  expect(await server.request('GET', profilePath(alice, 'displayname'))).toMatchObject({ status: 404 });
  const unknown = await server.request('GET', '/_matrix/client/v3/profile/@nobody:test.example');
  expect(unknown).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
});

test('fields are read back as they were set, also from another replica', async () => {
  const alice = await server.register();
  await setField(alice, 'displayname', 'Alice 😀');
  await setField(alice, 'avatar_url', 'mxc://test.example/abc');
  await setField(alice, 'm.tz', 'Europe/Berlin');
  await setField(alice, 'com.example.pets', [{ name: 'Rex', age: 3 }, null]);
  const profile = await server.request('GET', profilePath(alice), { replica: 1 });
  expect(profile.body).toEqual({
    avatar_url: 'mxc://test.example/abc',
    'com.example.pets': [{ name: 'Rex', age: 3 }, null],
    displayname: 'Alice 😀',
    'm.tz': 'Europe/Berlin',
  });
  expect((await server.request('GET', profilePath(alice, 'm.tz'))).body).toEqual({ 'm.tz': 'Europe/Berlin' });
  const gone = await server.request('DELETE', profilePath(alice, 'm.tz'), { token: alice.token });
  expect(gone).toMatchObject({ status: 200, body: {} });
  expect((await server.request('GET', profilePath(alice, 'm.tz'))).status).toBe(404);
});

const LARGE = 'com.example.large';
/** Characters of the value with which a profile of this one field stays a byte under 64 KiB of JSON. */
const largest = 65_535 - JSON.stringify({ [LARGE]: '' }).length;

const refused = [
  { name: 'a display name that is no text', field: 'displayname', value: 5, code: 'M_INVALID_PARAM' },
  { name: 'a display name of 257 characters', field: 'displayname', value: 'x'.repeat(257), code: 'M_INVALID_PARAM' },
  {
    name: 'an avatar that is no mxc address',
    field: 'avatar_url',
    value: 'https://x.example/',
    code: 'M_INVALID_PARAM',
  },
  { name: 'a field name without a namespace', field: 'pets', value: 'x', code: 'M_INVALID_PARAM' },
  { name: 'a field name of 256 bytes', field: `a.${'b'.repeat(254)}`, value: 'x', code: 'M_KEY_TOO_LARGE' },
  { name: 'a profile of 64 KiB', field: LARGE, value: 'x'.repeat(largest + 1), code: 'M_PROFILE_TOO_LARGE' },
];

test('a profile may take all but 64 KiB', async () => {
  expect((await setField(await server.register(), LARGE, 'x'.repeat(largest))).status).toBe(200);
});

test.for(refused)('$name is refused with $code', async ({ field, value, code }) => {
  const alice = await server.register();
  expect(await setField(alice, field, value)).toMatchObject({ status: 400, body: { errcode: code } });
  expect((await server.request('GET', profilePath(alice))).body).toEqual({});
});

test("somebody else's profile cannot be changed, and the body must have the field", async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const foreign = await server.request('PUT', profilePath(alice, 'displayname'), {
    token: bob.token,
    body: { displayname: 'Mallory' },
  });
  expect(foreign).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  const empty = await server.request('PUT', profilePath(alice, 'displayname'), { token: alice.token, body: {} });
  expect(empty).toMatchObject({ status: 400, body: { errcode: 'M_MISSING_PARAM' } });
});

test('a changed name and avatar reach the joined rooms, and going back to none does too', async () => {
  const alice = await server.register();
  const rooms = [await createRoom(alice), await createRoom(alice)];
  await setField(alice, 'displayname', 'Alice');
  await setField(alice, 'avatar_url', 'mxc://test.example/abc', 1);
  for (const room of rooms) {
    const avatar_url = 'mxc://test.example/abc';
    expect(await memberEvent(alice, room)).toMatchObject({ membership: 'join', displayname: 'Alice', avatar_url });
  }
  await setField(alice, 'displayname', '');
  expect(await memberEvent(alice, rooms[0] ?? '')).toEqual({
    membership: 'join',
    avatar_url: 'mxc://test.example/abc',
  });
});

test('setting the same name again sends nothing', async () => {
  const alice = await server.register();
  const room = await createRoom(alice);
  await setField(alice, 'displayname', 'Alice');
  const client = await server.database.connect();
  const count = async () => {
    const sql = 'select count(*)::int as n from events e join rooms r using (room_no) where r.room_id = $1';
    return (await client.query<{ n: number }>(sql, [room])).rows[0]?.n;
  };
  const before = await count();
  await setField(alice, 'displayname', 'Alice');
  expect(await count()).toBe(before);
});

test('a room that was left is not joined again', async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const room = await createRoom(bob);
  await server.request('POST', `/_matrix/client/v3/join/${room}`, { token: alice.token, body: {} });
  await server.request('POST', `/_matrix/client/v3/rooms/${room}/leave`, { token: alice.token, body: {} });
  await setField(alice, 'displayname', 'Alice');
  expect(await memberEvent(alice, room, bob)).toMatchObject({ membership: 'leave' });
});

test('a change whose replica died half-way is finished by another', async () => {
  const alice = await server.register();
  const rooms = [];
  for (let i = 0; i < 20; i += 1) rooms.push(await createRoom(alice));
  const client = await server.database.connect();
  // As a replica leaves it that wrote the change, worked off the first rooms and was killed long ago.
  await client.query(
    `insert into profiles select user_no, 'displayname', '"Later"' from users where user_id = '${alice.userId}'`,
  );
  await client.query(
    `insert into profile_updates (user_no, version, room_no) select u.user_no, 1, min(r.room_no)
     from users u, rooms r where u.user_id = '${alice.userId}' and r.room_id = any($1) group by u.user_no`,
    [rooms],
  );
  const app = server.replicas[1]?.app;
  if (app === undefined) throw new Error('no second replica');
  expect(await spreadProfile(app)).toBe(true);
  expect(await spreadProfile(app)).toBe(false);
  const names = await Promise.all(rooms.map((room) => memberEvent(alice, room)));
  expect(names.filter((member) => JSON.stringify(member).includes('Later'))).toHaveLength(19);
});
