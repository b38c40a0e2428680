import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';
import { anyText } from '../support/matching.ts';

let server: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver();
});
afterAll(() => server.stop());

const DEVICES = '/_matrix/client/v3/devices';
const Asked = z.looseObject({ session: z.string() });
const List = z.looseObject({ devices: z.array(z.looseObject({ device_id: z.string() })) });

const passwordAuth = (user: TestUser, password = user.password) => ({
  type: 'm.login.password',
  identifier: { type: 'm.id.user', user: user.localpart },
  password,
});

async function deviceIds(user: TestUser): Promise<string[]> {
  const answer = await server.request('GET', DEVICES, { token: user.token });
  return List.parse(answer.body).devices.map((device) => device.device_id);
}

test('a device can be named, and others do not see it', async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const path = `${DEVICES}/${alice.deviceId}`;
  const named = await server.request('PUT', path, { token: alice.token, body: { display_name: 'kitchen' } });
  expect(named).toMatchObject({ status: 200, body: {} });
  const mine = await server.request('GET', path, { token: alice.token });
  expect(mine.body).toEqual({ device_id: alice.deviceId, display_name: 'kitchen' });
  const theirs = await server.request('GET', path, { token: bob.token });
  expect(theirs).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
  const renamed = await server.request('PUT', path, { token: bob.token, body: { display_name: 'x' } });
  expect(renamed.status).toBe(404);
});

test('where and when a device was last used is written down when the replica stops, at the latest', async () => {
  const own = await startHomeserver({ replicas: 1 });
  try {
    const alice = await own.register();
    const before = Date.now();
    await own.request('GET', DEVICES, { token: alice.token });
    await own.replicas[0]?.stop({ settleMs: 0, drainMs: 1000 });
    const client = await own.database.connect();
    const { rows } = await client.query<{ seen_at: string; seen_address: string }>(
      'select seen_at, seen_address from devices',
    );
    expect(rows).toEqual([{ seen_at: anyText(), seen_address: '127.0.0.1' }]);
    expect(Number(rows[0]?.seen_at)).toBeGreaterThanOrEqual(before);
  } finally {
    await own.stop();
  }
});

test('deleting a device takes the password', async () => {
  const alice = await server.register();
  const other = await server.login(alice);
  const remove = (auth?: object) =>
    server.request('DELETE', `${DEVICES}/${other.deviceId}`, {
      token: alice.token,
      body: auth === undefined ? {} : { auth },
    });
  const asked = await remove();
  expect(asked).toMatchObject({ status: 401, body: { flows: [{ stages: ['m.login.password'] }] } });
  const { session } = Asked.parse(asked.body);
  const wrong = await remove({ ...passwordAuth(alice, 'wrong'), session });
  expect(wrong).toMatchObject({ status: 401, body: { errcode: 'M_FORBIDDEN', session } });
  expect(await deviceIds(alice)).toContain(other.deviceId);
  expect((await remove({ ...passwordAuth(alice), session })).status).toBe(200);
  expect(await deviceIds(alice)).toEqual([alice.deviceId]);
  const whoami = await server.request('GET', '/_matrix/client/v3/account/whoami', { token: other.token });
  expect(whoami.status).toBe(401);
});

test("somebody else's password does not delete my device", async () => {
  const [alice, mallory] = [await server.register(), await server.register()];
  const answer = await server.request('DELETE', `${DEVICES}/${alice.deviceId}`, {
    token: alice.token,
    body: { auth: passwordAuth(mallory) },
  });
  expect(answer).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  expect(await deviceIds(alice)).toEqual([alice.deviceId]);
});

test('several devices go at once, only those of the user', async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const [one, two] = [await server.login(alice), await server.login(alice)];
  const answer = await server.request('POST', '/_matrix/client/v3/delete_devices', {
    token: alice.token,
    body: { devices: [one.deviceId, two.deviceId, bob.deviceId, 'unknown'], auth: passwordAuth(alice) },
  });
  expect(answer.status).toBe(200);
  expect(await deviceIds(alice)).toEqual([alice.deviceId]);
  expect(await deviceIds(bob)).toEqual([bob.deviceId]);
});

test('a new password replaces the old one and ends the other sessions', async () => {
  const alice = await server.register();
  const other = await server.login(alice);
  const answer = await server.request('POST', '/_matrix/client/v3/account/password', {
    token: alice.token,
    body: { new_password: 'quite another one', auth: passwordAuth(alice) },
  });
  expect(answer).toMatchObject({ status: 200, body: {} });
  expect(await deviceIds(alice)).toEqual([alice.deviceId]);
  const whoami = await server.request('GET', '/_matrix/client/v3/account/whoami', { token: other.token });
  expect(whoami.status).toBe(401);
  await expect(server.login(alice)).rejects.toThrow(/M_FORBIDDEN/);
  await server.login({ ...alice, password: 'quite another one' });
});

test('a new password leaves other sessions alone when told so', async () => {
  const alice = await server.register();
  const other = await server.login(alice);
  await server.request('POST', '/_matrix/client/v3/account/password', {
    token: alice.token,
    body: { new_password: 'quite another one', logout_devices: false, auth: passwordAuth(alice) },
  });
  expect(await deviceIds(alice)).toEqual([alice.deviceId, other.deviceId]);
});

test('one proof of the password allows one change, not another one with the same session', async () => {
  const alice = await server.register();
  const change = (new_password: string, auth?: object) =>
    server.request('POST', '/_matrix/client/v3/account/password', { token: alice.token, body: { new_password, auth } });
  const { session } = Asked.parse((await change('first new one')).body);
  expect((await change('first new one', { ...passwordAuth(alice), session })).status).toBe(200);
  expect(await change('second new one', { session })).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  await server.login({ ...alice, password: 'first new one' });
});
