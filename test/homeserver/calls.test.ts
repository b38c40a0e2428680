import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { newOpenIdToken } from '../../homeserver/accounts/openid-tokens.ts';
import { parseUserId } from '../../homeserver/room/identifiers.ts';
import { type TestHomeserver, type TestUser, startHomeserver } from '../support/homeserver.ts';

let folder: string;
let server: TestHomeserver;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-calls-'));
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, 'north\n');
  await writeFile(join(folder, 'token-key'), 'south\n');
  server = await startHomeserver({
    config: {
      publicBaseUrl: 'https://matrix.test.example',
      appDirectory: folder,
      turn: { uris: ['turns:turn.example.org:443'], secretFile, credentialLifetimeSeconds: 600 },
      rtc: { livekitServiceUrl: 'https://rtc.example.org' },
    },
  });
});
afterAll(async () => {
  await server.stop();
  await rm(folder, { recursive: true, force: true });
});

test('a user gets TURN credentials of their own that end; without a token there are none', async () => {
  const alice = await server.register('alice');
  const { status, body } = await server.request('GET', '/_matrix/client/v3/voip/turnServer', { token: alice.token });
  expect(status).toBe(200);
  expect(body).toMatchObject({ uris: ['turns:turn.example.org:443'], ttl: 600 });
  expect(JSON.stringify(body)).toMatch(new RegExp(`"username":"[0-9]+:${alice.userId}"`));
  expect(JSON.stringify(body)).not.toContain('north');
  expect((await server.request('GET', '/_matrix/client/v3/voip/turnServer')).status).toBe(401);
});

test('a server without TURN says so', async () => {
  const plain = await startHomeserver();
  try {
    const bob = await plain.register('bob');
    expect(await plain.request('GET', '/_matrix/client/v3/voip/turnServer', { token: bob.token })).toMatchObject({
      status: 404,
      body: { errcode: 'M_NOT_FOUND' },
    });
  } finally {
    await plain.stop();
  }
});

test('clients learn from well-known where group calls are served', async () => {
  expect((await server.request('GET', '/.well-known/matrix/client')).body).toEqual({
    'm.homeserver': { base_url: 'https://matrix.test.example' },
    'org.matrix.msc4143.rtc_foci': [{ type: 'livekit', livekit_service_url: 'https://rtc.example.org' }],
  });
});

const USERINFO = '/_matrix/federation/v1/openid/userinfo';
const OpenId = z.object({ access_token: z.string(), expires_in: z.number() });
const openIdPath = (userId: string) => `/_matrix/client/v3/user/${encodeURIComponent(userId)}/openid/request_token`;
const userinfo = (token: string) => server.request('GET', `${USERINFO}?access_token=${encodeURIComponent(token)}`);

test('by an OpenID token others learn from any replica whose it is, and it opens nothing here', async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const given = await server.request('POST', openIdPath(alice.userId), { token: alice.token, body: {} });
  expect(given).toMatchObject({
    status: 200,
    body: { token_type: 'Bearer', matrix_server_name: server.serverName, expires_in: 3600 },
  });
  const { access_token: token } = OpenId.parse(given.body);
  for (const replica of server.replicas.keys()) {
    const path = `${USERINFO}?access_token=${encodeURIComponent(token)}`;
    expect(await server.request('GET', path, { replica })).toMatchObject({ status: 200, body: { sub: alice.userId } });
  }
  expect((await server.request('GET', '/_matrix/client/v3/account/whoami', { token })).status).toBe(401);
  const refused = await server.request('POST', openIdPath(alice.userId), { token: bob.token, body: {} });
  expect(refused).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
});

test('an OpenID token of another user, time or key is none, and neither is that of an account that is no more', async () => {
  const [alice, bob] = [await server.register(), await server.register()];
  const of = async ({ userId, token }: TestUser) =>
    OpenId.parse((await server.request('POST', openIdPath(userId), { token, body: {} })).body).access_token;
  const [ends = '', random = '', user = '', mark = ''] = (await of(alice)).split('.');
  const bobs = Buffer.from(bob.userId).toString('base64url');
  const later = (Number.parseInt(ends, 36) + 1).toString(36);
  const app = server.replicas[0]?.app ?? expect.fail('a replica');
  const { token: old } = await newOpenIdToken(app, parseUserId(alice.userId) ?? expect.fail('a user id'), 0);
  const forged = [
    [ends, random, bobs, mark].join('.'),
    [later, random, user, mark].join('.'),
    [ends, random, user, mark.replace(/^./, (one) => (one === '0' ? '1' : '0'))].join('.'),
    old,
    alice.token,
    'x',
  ];
  for (const token of forged) {
    expect(await userinfo(token)).toMatchObject({ status: 401, body: { errcode: 'M_UNKNOWN_TOKEN' } });
  }
  expect(await server.request('GET', USERINFO)).toMatchObject({ status: 400 });
  const left = await of(bob);
  const text = 'update accounts set deactivated_at = 1 where user_no = (select user_no from users where user_id = $1)';
  await app.store.db.query({ name: 'test_deactivate', text, values: [bob.userId] });
  expect((await userinfo(left)).status).toBe(401);
});

test('a server without a token-key gives out no OpenID tokens', async () => {
  const plain = await startHomeserver({ config: { appDirectory: join(folder, 'none') } });
  try {
    const { userId, token } = await plain.register();
    const answer = await plain.request('POST', openIdPath(userId), { token, body: {} });
    expect(answer).toMatchObject({ status: 404, body: { errcode: 'M_UNRECOGNIZED' } });
  } finally {
    await plain.stop();
  }
});
