import { afterAll, beforeAll, expect, test } from 'vitest';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { anyNumber } from '../support/matching.ts';

let server: TestHomeserver;
beforeAll(async () => {
  const slow = (burst: number) => ({ perSecond: 0.01, burst });
  // Each replica counts for itself.
  server = await startHomeserver({
    replicas: 1,
    config: {
      trustedProxies: ['127.0.0.1'],
      rateLimits: {
        loginPerAddress: slow(6),
        loginPerAccount: slow(2),
        registrationPerAddress: slow(2),
        requestsPerUser: { perSecond: 1000, burst: 1000 },
      },
    },
  });
});
afterAll(() => server.stop());

const from = (address: string) => ({ 'x-forwarded-for': address });

const login = (user: string, address: string, password = 'wrong') =>
  server.request('POST', '/_matrix/client/v3/login', {
    body: { type: 'm.login.password', user, password },
    headers: from(address),
  });

const register = (username: string, address: string) =>
  server.request('POST', '/_matrix/client/v3/register', {
    body: { username, password: `password of ${username}`, auth: { type: 'm.login.dummy' } },
    headers: from(address),
  });

test('registrations of one network are limited, another network is not', async () => {
  const statuses = [];
  for (const name of ['a', 'b', 'c']) statuses.push((await register(name, '192.0.2.1')).status);
  expect(statuses).toEqual([200, 200, 429]);
  expect((await register('d', '192.0.2.2')).status).toBe(200);
  expect((await register('e', '2001:db8::1')).status).toBe(200);
  expect((await register('f', '2001:db8::2')).status).toBe(200);
  expect((await register('g', '2001:db8::3')).status).toBe(429);
});

test('a refusal says when to come again', async () => {
  for (let i = 0; i < 6; i += 1) await login(`nobody${i}`, '192.0.2.3');
  const answer = await login('nobody', '192.0.2.3');
  expect(answer).toMatchObject({ status: 429, body: { errcode: 'M_LIMIT_EXCEEDED' } });
  expect(answer.body).toMatchObject({ retry_after_ms: anyNumber() });
  expect(Number(answer.headers.get('retry-after'))).toBeGreaterThan(90);
});

test('guesses at one account from many addresses are limited, also with another spelling', async () => {
  await register('target', '192.0.2.10');
  expect((await login('target', '192.0.2.11')).status).toBe(403);
  expect((await login('@target:test.example', '192.0.2.12')).status).toBe(403);
  expect((await login('TARGET', '192.0.2.13')).status).toBe(429);
  expect((await login('other', '192.0.2.14')).status).toBe(403);
});

test('logins that succeed do not use up the limit on failures', async () => {
  await register('regular', '192.0.2.20');
  for (let i = 0; i < 4; i += 1) {
    expect((await login('regular', `192.0.2.2${i + 1}`, 'password of regular')).status).toBe(200);
  }
});
