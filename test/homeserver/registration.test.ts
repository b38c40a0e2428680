import { createHmac } from 'node:crypto';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { startHomeserver, type TestHomeserver } from '../support/homeserver.ts';
import { matching } from '../support/matching.ts';

let server: TestHomeserver;
let limited: TestHomeserver;
beforeAll(async () => {
  server = await startHomeserver();
  limited = await startHomeserver({ config: { registration: { mode: 'Token' } } });
});
afterAll(async () => {
  await server.stop();
  await limited.stop();
});

const PATH = '/_matrix/client/v3/register';
const DUMMY = { type: 'm.login.dummy' };
const register = (body: unknown, replica = 0) => server.request('POST', PATH, { body, replica });

const Asked = z.looseObject({ session: z.string() });
const Made = z.looseObject({ access_token: z.string() });

async function beginSession(wanted: object): Promise<string> {
  const asked = await register(wanted);
  expect(asked.status).toBe(401);
  expect(asked.body).toMatchObject({ flows: [{ stages: ['m.login.dummy'] }], params: {} });
  return Asked.parse(asked.body).session;
}

test('a registration asks for its stage, and any replica takes the answer', async () => {
  const wanted = { username: 'alice', password: 'correct horse', device_id: 'PHONE' };
  const session = await beginSession(wanted);
  const done = await register({ ...wanted, auth: { ...DUMMY, session } }, 1);
  expect(done).toMatchObject({ status: 200, body: { user_id: '@alice:test.example', device_id: 'PHONE' } });
  const whoami = await server.request('GET', '/_matrix/client/v3/account/whoami', {
    token: Made.parse(done.body).access_token,
  });
  expect(whoami.body).toEqual({ user_id: '@alice:test.example', device_id: 'PHONE', is_guest: false });
});

test('a session takes only the parameters with which it began', async () => {
  const wanted = { username: 'bound', password: 'correct horse' };
  const session = await beginSession(wanted);
  const other = await register({ ...wanted, username: 'unbound', auth: { ...DUMMY, session } });
  expect(other).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  const done = await register({ ...wanted, auth: { ...DUMMY, session } });
  expect(done.status).toBe(200);
});

test('a session makes one account, however often its last request comes', async () => {
  const wanted = { password: 'correct horse' };
  const session = await beginSession(wanted);
  const body = { ...wanted, auth: { ...DUMMY, session } };
  const answers = await Promise.all([0, 1, 0, 1].map((replica) => register(body, replica)));
  expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 403, 403, 403]);
});

test('an unknown session is answered with a fresh one', async () => {
  const answer = await register({ username: 'late', password: 'correct horse', auth: { ...DUMMY, session: 'gone' } });
  expect(answer.status).toBe(401);
  expect(answer.body).toMatchObject({ errcode: 'M_UNKNOWN', session: matching(/^.{24}$/) });
});

test('of two replicas that register one name at once exactly one succeeds', async () => {
  const body = { username: 'contended', password: 'correct horse', auth: DUMMY };
  const answers = await Promise.all([0, 1].map((replica) => register(body, replica)));
  expect(answers.map((answer) => answer.status).sort((a, b) => a - b)).toEqual([200, 400]);
  expect(answers.find((answer) => answer.status === 400)?.body).toMatchObject({ errcode: 'M_USER_IN_USE' });
});

test('capitals in a name become small letters', async () => {
  const answer = await register({ username: 'UpperCase', password: 'correct horse', auth: DUMMY });
  expect(answer.body).toMatchObject({ user_id: '@uppercase:test.example' });
});

test('no name gets a made one, and inhibit_login opens no session', async () => {
  const answer = await register({ password: 'correct horse', inhibit_login: true, auth: DUMMY });
  expect(answer.status).toBe(200);
  expect(answer.body).toEqual({
    user_id: matching(/^@[a-z]{12}:test\.example$/),
    home_server: 'test.example',
  });
});

const refused = [
  {
    name: 'a name outside the grammar',
    body: { username: 'alice!', password: 'correct horse' },
    code: 'M_INVALID_USERNAME',
  },
  { name: 'a name with a server', body: { username: '@a:test.example' }, code: 'M_INVALID_USERNAME' },
  { name: 'a name that makes the id too long', body: { username: 'a'.repeat(250) }, code: 'M_INVALID_USERNAME' },
  { name: 'an empty name', body: { username: '' }, code: 'M_INVALID_USERNAME' },
  { name: 'a short password', body: { username: 'weak', password: '1234567', auth: DUMMY }, code: 'M_WEAK_PASSWORD' },
  { name: 'no password', body: { username: 'none', auth: DUMMY }, code: 'M_MISSING_PARAM' },
  { name: 'a name that is a number', body: { username: 5 }, code: 'M_BAD_JSON' },
  { name: 'auth that is a text', body: { auth: 'please' }, code: 'M_BAD_JSON' },
  { name: 'a body that is a list', body: [], code: 'M_BAD_JSON' },
];

test.for(refused)('$name is refused with $code', async ({ body, code }) => {
  const answer = await register(body);
  expect(answer).toMatchObject({ status: 400, body: { errcode: code, error: matching(/./) } });
});

test('a stage that is in no flow is refused and asked again', async () => {
  const answer = await register({ username: 'stage', auth: { type: 'm.login.password' } });
  expect(answer).toMatchObject({ status: 401, body: { errcode: 'M_UNRECOGNIZED', flows: [{}] } });
});

test('guests are refused', async () => {
  const answer = await server.request('POST', `${PATH}?kind=guest`, { body: {} });
  expect(answer).toMatchObject({ status: 403, body: { errcode: 'M_GUEST_ACCESS_FORBIDDEN' } });
});

test('another kind is refused with what is allowed', async () => {
  const answer = await server.request('POST', `${PATH}?kind=robot`, { body: {} });
  expect(answer).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_PARAM' } });
  expect(answer.body).toMatchObject({ error: matching(/kind .*"user"/) });
});

test('a closed server registers nobody', async () => {
  const closed = await startHomeserver({ config: { registration: { mode: 'Closed' } } });
  try {
    const answer = await closed.request('POST', PATH, {
      body: { username: 'a', password: 'correct horse', auth: DUMMY },
    });
    expect(answer).toMatchObject({ status: 403, body: { errcode: 'M_FORBIDDEN' } });
  } finally {
    await closed.stop();
  }
});

test('availability is told before a name is chosen', async () => {
  const ask = (name: string) => server.request('GET', `${PATH}/available?username=${encodeURIComponent(name)}`);
  await server.register('taken');
  expect(await ask('free')).toMatchObject({ status: 200, body: { available: true } });
  expect(await ask('taken')).toMatchObject({ status: 400, body: { errcode: 'M_USER_IN_USE' } });
  expect(await ask('TAKEN')).toMatchObject({ status: 400, body: { errcode: 'M_USER_IN_USE' } });
  expect(await ask('no way')).toMatchObject({ status: 400, body: { errcode: 'M_INVALID_USERNAME' } });
});

test('a registration token makes as many accounts as it allows', async () => {
  const client = await limited.database.connect();
  await client.query("insert into registration_tokens (token, uses_allowed, created_at) values ('two', 2, 0)");
  const valid = () =>
    limited.request('GET', '/_matrix/client/v1/register/m.login.registration_token/validity?token=two');
  const make = (username: string, token: string) =>
    limited.request('POST', PATH, {
      body: { username, password: 'correct horse', auth: { type: 'm.login.registration_token', token } },
    });
  expect((await valid()).body).toEqual({ valid: true });
  expect(await make('first', 'wrong')).toMatchObject({ status: 401, body: { errcode: 'M_UNAUTHORIZED' } });
  const attempts = await Promise.all(['first', 'second', 'third'].map((name) => make(name, 'two')));
  expect(attempts.filter((answer) => answer.status === 200)).toHaveLength(2);
  expect((await valid()).body).toEqual({ valid: false });
});

test('tokens of the file can be used without end, and the file may change while the server runs', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-test-tokens-'));
  const tokensFile = join(folder, 'tokens');
  await writeFile(tokensFile, 'first\n\n second \n');
  const own = await startHomeserver({ config: { registration: { mode: 'Token', tokensFile } } });
  const make = async (username: string, token: string) => {
    const auth = { type: 'm.login.registration_token', token };
    return (await own.request('POST', PATH, { body: { username, password: 'correct horse', auth } })).status;
  };
  try {
    expect(await Promise.all([make('a', 'first'), make('b', 'first'), make('c', 'second')])).toEqual([200, 200, 200]);
    expect(await Promise.all([make('d', ''), make('e', 'firs')])).toEqual([401, 401]);
    await writeFile(tokensFile, 'third\n');
    expect(await Promise.all([make('f', 'third'), make('g', 'first')])).toEqual([200, 401]);
  } finally {
    await own.stop();
    await rm(folder, { recursive: true, force: true });
  }
});

test('a dummy stage does not replace a token', async () => {
  const answer = await limited.request('POST', PATH, {
    body: { username: 'x', password: 'correct horse', auth: DUMMY },
  });
  expect(answer).toMatchObject({ status: 401, body: { flows: [{ stages: ['m.login.registration_token'] }] } });
});

test('neither passwords nor tokens lie in the database as they are', async () => {
  const user = await server.register('secretive', { password: 'a very special phrase' });
  const client = await server.database.connect();
  const tables = await client.query<{ name: string }>(
    "select tablename as name from pg_tables where schemaname = 'public'",
  );
  for (const { name } of tables.rows) {
    const { rows } = await client.query<{ row: string }>(`select t::text as row from ${name} t`);
    const text = rows.map(({ row }) => row).join('\n');
    expect(text).not.toContain('a very special phrase');
    expect(text).not.toContain(user.token);
  }
});

const ADMIN_REGISTER = '/_synapse/admin/v1/register';

async function withSecret(
  server: TestHomeserver,
  user: { username: string; password: string; admin: boolean },
  secret: string,
) {
  const { nonce } = z.object({ nonce: z.string() }).parse((await server.request('GET', ADMIN_REGISTER)).body);
  const parts = [nonce, user.username, user.password, user.admin ? 'admin' : 'notadmin'];
  const mac = createHmac('sha1', secret).update(parts.join('\0')).digest('hex');
  return { ...user, nonce, mac };
}

test('the shared secret makes accounts and administrators where it is allowed to, and nothing else does', async () => {
  expect((await server.request('GET', ADMIN_REGISTER)).body).toMatchObject({ errcode: 'M_UNRECOGNIZED' });
  const appDirectory = await mkdtemp(join(tmpdir(), 'matrix-operator-test-app-'));
  await writeFile(join(appDirectory, 'registration-secret'), 'the secret\n');
  const registration = { mode: 'Closed', sharedSecret: 'Enabled' } as const;
  const closed = await startHomeserver({ replicas: 2, config: { registration, appDirectory } });
  try {
    const root = await withSecret(closed, { username: 'root', password: 'root password', admin: true }, 'the secret');
    const made = await closed.request('POST', ADMIN_REGISTER, { body: root });
    expect(made).toMatchObject({ status: 200, body: { user_id: '@root:test.example', home_server: 'test.example' } });
    const database = await closed.database.connect();
    expect((await database.query('select admin from accounts')).rows).toEqual([{ admin: true }]);
    await database.end();
    expect((await closed.request('POST', ADMIN_REGISTER, { body: root })).body).toMatchObject({
      errcode: 'M_USER_IN_USE',
    });
    const user = await withSecret(closed, { username: 'user', password: 'user password', admin: false }, 'the secret');
    const wrong = [
      { ...user, admin: true },
      { ...user, nonce: `0${user.nonce}` },
      { ...user, mac: 'f'.repeat(40) },
    ];
    for (const body of wrong) {
      expect((await closed.request('POST', ADMIN_REGISTER, { body })).body).toMatchObject({ errcode: 'M_FORBIDDEN' });
    }
    expect((await closed.request('POST', ADMIN_REGISTER, { body: user })).status).toBe(200);
  } finally {
    await closed.stop();
    await rm(appDirectory, { recursive: true });
  }
});
