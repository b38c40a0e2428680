import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver, type TestUser } from '../support/homeserver.ts';
import { matching } from '../support/matching.ts';

let server: TestHomeserver;
let alice: TestUser;
beforeAll(async () => {
  server = await startHomeserver();
  alice = await server.register('alice');
});
afterAll(() => server.stop());

const LOGIN = '/_matrix/client/v3/login';
const DEVICE = '/_matrix/client/v3/devices/PHONE';

const errors = [
  { name: 'an unknown path', method: 'GET', path: '/_matrix/client/v3/nothing', status: 404, code: 'M_UNRECOGNIZED' },
  { name: 'the root', method: 'GET', path: '/', status: 404, code: 'M_UNRECOGNIZED' },
  { name: 'a known path with another method', method: 'DELETE', path: LOGIN, status: 405, code: 'M_UNRECOGNIZED' },
  { name: 'a known path with an unusual method', method: 'PATCH', path: LOGIN, status: 405, code: 'M_UNRECOGNIZED' },
  {
    name: 'a path with parameters and another method',
    method: 'POST',
    path: DEVICE,
    status: 405,
    code: 'M_UNRECOGNIZED',
  },
  {
    name: 'broken percent-encoding',
    method: 'GET',
    path: '/_matrix/client/v3/profile/%zz',
    status: 400,
    code: 'M_INVALID_PARAM',
  },
  {
    name: 'percent-encoding that is not UTF-8',
    method: 'GET',
    path: '/_matrix/client/v3/profile/%ff',
    status: 400,
    code: 'M_INVALID_PARAM',
  },
  {
    name: 'a NUL in the path',
    method: 'GET',
    path: '/_matrix/client/v3/profile/%00',
    status: 400,
    code: 'M_INVALID_PARAM',
  },
  {
    name: 'a NUL in the query',
    method: 'GET',
    path: '/_matrix/client/v3/register/available?username=%00',
    status: 400,
    code: 'M_INVALID_PARAM',
  },
  {
    name: 'a missing query parameter',
    method: 'GET',
    path: '/_matrix/client/v3/register/available',
    status: 400,
    code: 'M_MISSING_PARAM',
  },
  {
    name: 'a query parameter given twice',
    method: 'GET',
    path: '/_matrix/client/v3/register/available?username=a&username=b',
    status: 400,
    code: 'M_INVALID_PARAM',
  },
];

test.for(errors)('$name is answered with $status $code', async ({ method, path, status, code }) => {
  const answer = await server.request(method, path);
  expect(answer).toMatchObject({ status, body: { errcode: code, error: matching(/./) } });
  expect(answer.headers.get('content-type')).toBe('application/json');
  expect(answer.headers.get('access-control-allow-origin')).toBe('*');
});

const bodies = [
  { name: 'a body that is not JSON', rawBody: '{"type":', status: 400, code: 'M_NOT_JSON' },
  { name: 'a body that is not UTF-8', rawBody: new Uint8Array([0x22, 0xff, 0x22]), status: 400, code: 'M_NOT_JSON' },
  { name: 'a body that is no object', rawBody: '"m.login.password"', status: 400, code: 'M_BAD_JSON' },
  { name: 'a body without a required member', rawBody: '{}', status: 400, code: 'M_MISSING_PARAM' },
  { name: 'a body of nesting', rawBody: '['.repeat(200_000), status: 400, code: 'M_NOT_JSON' },
  {
    name: 'a body nested too deeply',
    rawBody: `{"a":${'['.repeat(50_000)}${']'.repeat(50_000)}}`,
    status: 400,
    code: 'M_BAD_JSON',
  },
  { name: 'a NUL in a body', rawBody: '{"type":"\\u0000"}', status: 400, code: 'M_BAD_JSON' },
  { name: 'a lone surrogate in a body', rawBody: '{"type":"\\udc00"}', status: 400, code: 'M_BAD_JSON' },
  {
    name: 'a body larger than allowed',
    rawBody: `{"type":"${'x'.repeat(1_100_000)}"}`,
    status: 413,
    code: 'M_TOO_LARGE',
  },
  { name: 'no body where one is needed', rawBody: '', status: 400, code: 'M_MISSING_PARAM' },
];

test.for(bodies)('$name is answered with $status $code', async ({ rawBody, status, code }) => {
  expect(await server.request('POST', LOGIN, { rawBody })).toMatchObject({ status, body: { errcode: code } });
});

test('a PUT without a body is not taken for an empty object', async () => {
  const answer = await server.request('PUT', DEVICE, { token: alice.token });
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_NOT_JSON' } });
});

test('the error names the member and what is allowed', async () => {
  const answer = await server.request('POST', LOGIN, { body: { type: 5 } });
  expect(answer.body).toEqual({
    errcode: 'M_BAD_JSON',
    error: 'type: Invalid input: expected string, received number',
  });
});

test.for(['text/plain', 'application/x-www-form-urlencoded', 'nonsense', ''])(
  'content type "%s" is read as JSON',
  async (type) => {
    const body = JSON.stringify({ type: 'm.login.password', user: 'alice', password: alice.password });
    const answer = await server.request('POST', LOGIN, { rawBody: body, headers: { 'content-type': type } });
    expect(answer.status).toBe(200);
  },
);

test('a request without a token is refused before its body is looked at', async () => {
  const answer = await server.request('PUT', DEVICE, { rawBody: '{"broken' });
  expect(answer).toMatchObject({ status: 401, body: { errcode: 'M_MISSING_TOKEN' } });
});

test.for([LOGIN, '/_matrix/client/v3/nothing', DEVICE])(
  'OPTIONS %s is answered with the CORS headers and nothing else',
  async (path) => {
    const answer = await server.request('OPTIONS', path);
    expect(answer).toMatchObject({ status: 204, body: undefined });
    expect(answer.headers.get('access-control-allow-origin')).toBe('*');
    expect(answer.headers.get('access-control-allow-methods')).toBe('GET, POST, PUT, DELETE, OPTIONS');
    expect(answer.headers.get('access-control-allow-headers')).toBe('X-Requested-With, Content-Type, Authorization');
  },
);

test('HEAD is GET without the body', async () => {
  const answer = await server.request('HEAD', LOGIN);
  expect(answer).toMatchObject({ status: 200, body: undefined });
  expect(Number(answer.headers.get('content-length'))).toBeGreaterThan(10);
});

test('percent-encoded ids in paths are decoded once', async () => {
  const names = ['PHO NE', 'a/b', 'a%2Fb', 'ü:@!#$'];
  for (const deviceId of names) await server.login(alice, { deviceId });
  for (const deviceId of names) {
    const path = `/_matrix/client/v3/devices/${encodeURIComponent(deviceId)}`;
    expect(await server.request('GET', path, { token: alice.token })).toMatchObject({ body: { device_id: deviceId } });
  }
});

test('an id of 255 bytes, all percent-encoded, still reaches its endpoint', async () => {
  const path = `/_matrix/client/v3/profile/${'%41'.repeat(255)}`;
  expect(await server.request('GET', path)).toMatchObject({ status: 404, body: { errcode: 'M_NOT_FOUND' } });
});

test('versions and the public endpoints need no token', async () => {
  const { body } = await server.request('GET', '/_matrix/client/versions');
  expect(z.looseObject({ versions: z.array(z.string()) }).parse(body).versions).toContain('v1.11');
  expect((await server.request('GET', LOGIN)).body).toEqual({ flows: [{ type: 'm.login.password' }] });
  expect((await server.request('GET', '/_matrix/federation/v1/version')).body).toEqual({
    server: { name: 'matrix-operator', version: 'test' },
  });
});

test('older paths lead to the same endpoints', async () => {
  expect((await server.request('GET', '/_matrix/client/r0/login')).status).toBe(200);
});

test('well-known files say what the configuration says, or 404', async () => {
  expect(await server.request('GET', '/.well-known/matrix/client')).toMatchObject({
    status: 404,
    body: { errcode: 'M_NOT_FOUND' },
  });
  const config = { publicBaseUrl: 'https://matrix.test.example', wellKnownServer: 'matrix.test.example:443' };
  const configured = await startHomeserver({ config });
  try {
    const client = await configured.request('GET', '/.well-known/matrix/client');
    expect(client.body).toEqual({ 'm.homeserver': { base_url: 'https://matrix.test.example' } });
    expect((await configured.request('GET', '/.well-known/matrix/server')).body).toEqual({
      'm.server': 'matrix.test.example:443',
    });
  } finally {
    await configured.stop();
  }
});

test('capabilities name the room versions that are there', async () => {
  const answer = await server.request('GET', '/_matrix/client/v3/capabilities', { token: alice.token });
  expect(answer.body).toMatchObject({
    capabilities: {
      'm.room_versions': {
        default: '12',
        available: Object.fromEntries(Array.from({ length: 12 }, (_, at) => [String(at + 1), 'stable'])),
      },
    },
  });
});

test('what is not HTTP is answered on the socket and the connection ends', async () => {
  const { port } = new URL(server.url());
  const socket = connect(Number(port), '127.0.0.1');
  socket.write('this is not HTTP\r\n\r\n');
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 [\s\S]*"errcode":"M_UNKNOWN"/);
});

test('a failure inside answers M_UNKNOWN and nothing of its text', async () => {
  const client = await server.database.connect();
  await client.query('alter table profiles rename to profiles_away');
  const answer = await server.request('GET', '/_matrix/client/v3/profile/@alice:test.example');
  await client.query('alter table profiles_away rename to profiles');
  expect(answer).toMatchObject({ status: 500 });
  expect(answer.body).toEqual({ errcode: 'M_UNKNOWN', error: 'The server failed to answer this request.' });
});

test('metrics count requests by endpoint and result, and the probes answer', async () => {
  await server.request('GET', LOGIN, { replica: 0 });
  await server.request('GET', '/nowhere', { replica: 0 });
  const port = server.replicas[0]?.metricsPort;
  const metrics = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  expect(metrics).toMatch(/^matrix_homeserver_requests_total\{endpoint="getLoginFlows",result="2xx"\} \d+$/m);
  expect(metrics).toMatch(/^matrix_homeserver_requests_total\{endpoint="unknown",result="4xx"\} \d+$/m);
  expect((await server.request('GET', '/healthz')).status).toBe(200);
  expect(await server.request('GET', '/readyz')).toMatchObject({ status: 200, body: { status: 'ready' } });
  expect((await server.request('GET', '/metrics')).status).toBe(404);
});
