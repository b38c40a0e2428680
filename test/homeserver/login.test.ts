import { afterAll, beforeAll, expect, test } from 'vitest';
import { waitFor } from '../support/wait-for.ts';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';

let server: TestHomeserver;
let alice: TestUser;
beforeAll(async () => {
  server = await startHomeserver();
  alice = await server.register('alice');
});
afterAll(() => server.stop());

const PATH = '/_matrix/client/v3/login';
const WHOAMI = '/_matrix/client/v3/account/whoami';
const login = (body: object) => server.request('POST', PATH, { body: { type: 'm.login.password', ...body } });
const whoami = (token: string, replica = 0) => server.request('GET', WHOAMI, { token, replica });

const names = [
  { name: 'a name', body: { identifier: { type: 'm.id.user', user: 'alice' } } },
  { name: 'a full id', body: { identifier: { type: 'm.id.user', user: '@alice:test.example' } } },
  { name: 'a name in capitals', body: { identifier: { type: 'm.id.user', user: 'ALICE' } } },
  { name: 'the old member', body: { user: 'alice' } },
];

test.for(names)('a login by $name gives a token for the same user', async ({ body }) => {
  const answer = await login({ ...body, password: alice.password });
  expect(answer).toMatchObject({ status: 200, body: { user_id: alice.userId, home_server: 'test.example' } });
});

const wrong = [
  { name: 'a wrong password', body: { user: 'alice', password: 'wrong' }, status: 403, code: 'M_FORBIDDEN' },
  { name: 'an unknown user', body: { user: 'nobody', password: 'wrong' }, status: 403, code: 'M_FORBIDDEN' },
  {
    name: 'a user of another server',
    body: { user: '@alice:else.where', password: 'wrong' },
    status: 403,
    code: 'M_FORBIDDEN',
  },
  { name: 'no user', body: { password: 'wrong' }, status: 400, code: 'M_MISSING_PARAM' },
  { name: 'no password', body: { user: 'alice' }, status: 400, code: 'M_MISSING_PARAM' },
  { name: 'another type', body: { type: 'm.login.magic', user: 'alice' }, status: 400, code: 'M_UNKNOWN' },
  { name: 'another kind of identifier', body: { identifier: { type: 'm.id.phone' } }, status: 400, code: 'M_UNKNOWN' },
  { name: 'a device id that is no text', body: { user: 'alice', device_id: 1 }, status: 400, code: 'M_BAD_JSON' },
];

test.for(wrong)('$name is answered with $status $code', async ({ body, status, code }) => {
  expect(await login(body)).toMatchObject({ status, body: { errcode: code } });
});

test('a wrong password and an unknown user get the same answer', async () => {
  const bad = await login({ user: 'alice', password: 'wrong' });
  const unknown = await login({ user: 'nobody', password: 'wrong' });
  expect(unknown.body).toEqual(bad.body);
});

test('a deactivated account is told so only to who knows its password', async () => {
  const user = await server.register('gone');
  const client = await server.database.connect();
  await client.query(
    "update accounts set deactivated_at = 1 where user_no = (select user_no from users where user_id = '@gone:test.example')",
  );
  expect((await login({ user: 'gone', password: user.password })).body).toMatchObject({
    errcode: 'M_USER_DEACTIVATED',
  });
  expect((await login({ user: 'gone', password: 'wrong' })).body).toMatchObject({ errcode: 'M_FORBIDDEN' });
  await waitFor(async () => (await whoami(user.token)).status === 401, { what: 'the token to be refused' });
});

test('a device that logs in again keeps its id and name, and its old token ends everywhere', async () => {
  const first = await server.login(alice, { deviceId: 'TABLET' });
  expect((await whoami(first.token, 1)).status).toBe(200);
  const second = await server.login(alice, { deviceId: 'TABLET' });
  expect(second.token).not.toBe(first.token);
  expect((await whoami(second.token, 1)).body).toMatchObject({ device_id: 'TABLET' });
  await waitFor(async () => (await whoami(first.token, 1)).status === 401, { what: 'the old token to end' });
});

test('a logout ends the token at once here, and within a catch-up on another replica', async () => {
  const device = await server.login(alice);
  expect((await whoami(device.token, 1)).status).toBe(200);
  const answer = await server.request('POST', '/_matrix/client/v3/logout', { token: device.token });
  expect(answer).toMatchObject({ status: 200, body: {} });
  expect(await whoami(device.token)).toMatchObject({ status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } });
  await waitFor(async () => (await whoami(device.token, 1)).status === 401, {
    what: 'the other replica to refuse the token',
  });
  const devices = await server.request('GET', '/_matrix/client/v3/devices', { token: alice.token });
  expect(JSON.stringify(devices.body)).not.toContain(device.deviceId);
});

test('logging out everywhere ends every token of that user and of nobody else', async () => {
  const bob = await server.register('bob');
  const other = await server.login(bob);
  await server.request('POST', '/_matrix/client/v3/logout/all', { token: bob.token });
  expect((await whoami(bob.token)).status).toBe(401);
  expect((await whoami(other.token)).status).toBe(401);
  expect((await whoami(alice.token)).status).toBe(200);
});

const headers = [
  { name: 'no token', value: undefined, code: 'M_MISSING_TOKEN' },
  { name: 'another scheme', value: 'Basic YTpi', code: 'M_MISSING_TOKEN' },
  { name: 'an unknown token', value: 'Bearer nonsense', code: 'M_UNKNOWN_TOKEN' },
];

test.for(headers)('$name is answered with 401 $code', async ({ value, code }) => {
  const answer = await server.request('GET', WHOAMI, { headers: value === undefined ? {} : { authorization: value } });
  expect(answer).toMatchObject({ status: 401, body: { errcode: code } });
});

test('a token in the query is not taken', async () => {
  const answer = await server.request('GET', `${WHOAMI}?access_token=${alice.token}`);
  expect(answer).toMatchObject({ status: 401, body: { errcode: 'M_MISSING_TOKEN' } });
});

test('a token that was refused works as soon as it is valid: no is never remembered', async () => {
  const device = await server.login(alice);
  const client = await server.database.connect();
  const { rows } = await client.query<{ token_hash: Buffer }>(
    'delete from access_tokens where device_no = (select device_no from devices where device_id = $1) returning token_hash, device_no, user_no, created_at',
    [device.deviceId],
  );
  expect((await whoami(device.token)).status).toBe(401);
  const [row] = rows;
  await client.query(
    'insert into access_tokens (token_hash, device_no, user_no, created_at) select $1, device_no, user_no, 0 from devices where device_id = $2',
    [row?.token_hash, device.deviceId],
  );
  expect((await whoami(device.token)).status).toBe(200);
});
