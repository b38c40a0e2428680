import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type TestHomeserver, startHomeserver } from '../support/homeserver.ts';

let folder: string;
let server: TestHomeserver;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-calls-'));
  const secretFile = join(folder, 'secret');
  await writeFile(secretFile, 'north\n');
  server = await startHomeserver({
    config: {
      publicBaseUrl: 'https://matrix.test.example',
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
