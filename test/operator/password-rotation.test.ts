import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import { waitFor } from '../support/wait-for.ts';
import { liveUntil } from './support/killed-operator.ts';
import type { Proxy } from './support/killing-proxy.ts';
import { startProxy } from './support/killing-proxy.ts';
import { PodPlayer } from './support/pod-player.ts';
import type { Stage } from './support/stage.ts';
import { OWN_RELEASE } from './support/test-programs.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitReady, writeSecret } from './support/stage.ts';

let stage: Stage;
let folder: string;
let proxy: Proxy;
beforeAll(async () => {
  stage = await openStage();
  folder = await mkdtemp(join(tmpdir(), 'matrix-operator-rotation-'));
  proxy = await startProxy(stage.api, folder);
});
afterAll(async () => {
  await proxy.close();
  await stage.dispose();
  await rm(folder, { recursive: true, force: true });
});

const ROLES = `select rolname as name, rolcanlogin as open from pg_roles where rolname = any($1) order by 1`;

async function loginRoles(database: string): Promise<unknown[]> {
  return stage.sql(ROLES, [[`${database}_0`, `${database}_1`]]);
}

/** Whether this generation is Ready with this password version, and nothing but the login in use is open. */
async function isRotated(namespace: string, version: number): Promise<boolean> {
  const { metadata, status } = await readHomeserver(stage, namespace);
  const isCurrent = status.observedGeneration === metadata.generation;
  const isReady = status.conditions.some(({ type, status: value }) => type === 'Ready' && value === 'True');
  if (!isCurrent || !isReady || status.database?.passwordVersion !== version) return false;
  const roles = z
    .array(z.object({ name: z.string(), open: z.boolean() }))
    .parse(await loginRoles(status.database.name ?? ''));
  return roles.every(({ name, open }) => open === (name === status.database?.loginRole));
}

const Registered = z.looseObject({ access_token: z.string() });
const Created = z.looseObject({ room_id: z.string() });

/** Sends messages without a pause to whatever pods a Service would choose; a request that fails is not tried again. */
class Writer {
  readonly failures: string[] = [];
  sent = 0;
  readonly #pods: PodPlayer;
  #stopped = false;
  #writing: Promise<void> = Promise.resolve();

  constructor(pods: PodPlayer) {
    this.#pods = pods;
  }

  async start(): Promise<void> {
    const auth = { type: 'm.login.dummy' };
    const registration = { username: 'writer', password: randomBytes(12).toString('hex'), auth };
    const { access_token: token } = Registered.parse(await this.#ask('POST', 'register', registration));
    const { room_id: room } = Created.parse(await this.#ask('POST', 'createRoom', {}, token));
    this.#writing = this.#write(encodeURIComponent(room), token);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    await this.#writing;
  }

  async #write(room: string, token: string): Promise<void> {
    while (!this.#stopped) {
      const path = `rooms/${room}/send/m.room.message/t${this.sent}`;
      await this.#ask('PUT', path, { msgtype: 'm.text', body: `message ${this.sent}` }, token);
      this.sent += 1;
      await pause(5);
    }
  }

  async #ask(method: string, path: string, body: object, token = ''): Promise<unknown> {
    const { urls } = this.#pods;
    const url = urls[this.sent % urls.length] ?? '';
    try {
      const headers = { 'content-type': 'application/json', authorization: `Bearer ${token}` };
      const answer = await fetch(`${url}/_matrix/client/v3/${path}`, { method, headers, body: JSON.stringify(body) });
      const text = await answer.text();
      if (answer.status !== 200) this.failures.push(`${path}: ${answer.status} ${text}`);
      return JSON.parse(text) as unknown;
    } catch (error) {
      this.failures.push(`${path}: ${String(error)}`);
      return undefined;
    }
  }
}

test('rotated there and back under writes, with the operator killed after every single write: no request fails, old logins are closed', {
  timeout: 600_000,
}, async () => {
  const namespace = await stage.namespace();
  const operator = { namespace, proxy, folder };
  const spec = { replicas: 2, config: { registration: { mode: 'Open' }, rateLimits: { enabled: false } } };
  const database = (passwordVersion: number) => {
    const { host, port } = stage.postgres;
    return {
      database: {
        passwordVersion,
        server: { host, port, adminSecretRef: { name: 'pg-admin' } },
        tls: { mode: 'Disable' },
      },
    };
  };
  const pods = new PodPlayer(stage, namespace);
  const writer = new Writer(pods);
  pods.start();
  try {
    const first = await stage.startOperator({
      ...OWN_RELEASE,
      watchNamespaces: [namespace],
      secretNamespaces: [namespace],
    });
    await applyHomeserver(stage, namespace, { ...spec, ...database(1) });
    await waitFor(() => isRotated(namespace, 1), { what: 'the first pods', timeoutMs: 120_000 });
    await first.stop();
    const before = await readSecret(stage.client, { namespace, name: 'chat-db' });
    await writer.start();

    await applyHomeserver(stage, namespace, { ...spec, ...database(2) });
    const writes = await liveUntil(operator, () => isRotated(namespace, 2), 60);
    expect(writes.filter((line) => line.endsWith('/secrets/chat-db')).length, writes.join('\n')).toBe(1);
    expect(writes.filter((line) => line.endsWith('/deployments/chat')).length, writes.join('\n')).toBe(1);

    await stage.startOperator({ ...OWN_RELEASE, watchNamespaces: [namespace], secretNamespaces: [namespace] });
    await applyHomeserver(stage, namespace, { ...spec, ...database(3) });
    await waitFor(() => isRotated(namespace, 3), { what: 'the second rotation', timeoutMs: 120_000 });
    const { status } = await readHomeserver(stage, namespace);
    const name = status.database?.name ?? '';
    expect(status.database?.loginRole).toBe(`${name}_0`);
    expect(await loginRoles(name)).toEqual([
      { name: `${name}_0`, open: true },
      { name: `${name}_1`, open: false },
    ]);
    const last = await readSecret(stage.client, { namespace, name: 'chat-db' });
    expect(last?.values['username']).toBe(before?.values['username']);
    expect(last?.values['password']).not.toBe(before?.values['password']);
    expect(last?.values['claim']).toBe(before?.values['claim']);
  } finally {
    await writer.stop();
    await pods.stop();
  }
  expect(pods.failures).toEqual([]);
  expect(writer.failures).toEqual([]);
  expect(writer.sent).toBeGreaterThan(100);
});

test('a login that somebody still uses is not closed until that has ended, and Ready does not wait for it', async () => {
  const namespace = await stage.namespace();
  const running = await stage.startOperator({
    ...OWN_RELEASE,
    watchNamespaces: [namespace],
    secretNamespaces: [namespace],
  });
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const secret = await readSecret(stage.client, { namespace, name: 'chat-db' });
  const { username = '', password = '', dbname = '' } = secret?.values ?? {};
  const straggler = stage.connect({ username, password, database: dbname });
  await (await straggler).query('select 1');

  const { host, port } = stage.postgres;
  await applyHomeserver(stage, namespace, {
    database: {
      passwordVersion: 2,
      server: { host, port, adminSecretRef: { name: 'pg-admin' } },
      tls: { mode: 'Disable' },
    },
  });
  await waitFor(
    async () => {
      const view = await waitReady(stage, namespace);
      return view.status.database?.passwordVersion === 2 && view.status.database.loginRole === `${dbname}_1`;
    },
    { what: 'the new login' },
  );
  expect(await loginRoles(dbname)).toEqual([
    { name: `${dbname}_0`, open: true },
    { name: `${dbname}_1`, open: true },
  ]);
  await (await straggler).end();
  await waitFor(() => isRotated(namespace, 2), { what: 'the old login to be closed' });
  await running.stop();
});

test('with existing, in the layout of CloudNativePG, a changed Secret rolls the pods, and nothing is done to the role', async () => {
  const namespace = await stage.namespace();
  const role = `own_${randomBytes(4).toString('hex')}`;
  await stage.sql(`create role ${role} login password 'one'`);
  await stage.sql(
    `create database ${role} owner ${role} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0`,
  );
  const { host, port } = stage.postgres;
  const uri = `postgresql://${role}:one@${host}:${port}/${role}`;
  const more = {
    user: role,
    uri,
    'jdbc-uri': `jdbc:${uri}`,
    'fqdn-uri': uri,
    pgpass: `${host}:${port}:${role}:${role}:one\n`,
  };
  const login = { ...more, host, port: String(port), dbname: role, username: role, password: 'one' };
  await writeSecret(stage.client, { namespace, name: 'theirs' }, login);
  const running = await stage.startOperator({
    ...OWN_RELEASE,
    watchNamespaces: [namespace],
    secretNamespaces: [namespace],
  });
  await applyHomeserver(stage, namespace, {
    database: { existing: { secretRef: { name: 'theirs' } }, tls: { mode: 'Disable' } },
  });
  await waitReady(stage, namespace);
  const before = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  await stage.sql(`alter role ${role} password 'two'`);
  const stored = await stage.sql('select rolpassword from pg_authid where rolname = $1', [role]);
  await writeSecret(stage.client, { namespace, name: 'theirs' }, { ...login, password: 'two' });
  await waitFor(
    async () => {
      const now = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
      return now?.metadata.generation !== before?.metadata.generation;
    },
    { what: 'the pods to roll' },
  );
  const view = await waitReady(stage, namespace);
  expect(conditionOf(view, 'DatabaseReady')).toMatchObject({ status: 'True' });
  expect(view.status.database?.passwordVersion).toBeUndefined();
  expect(await stage.sql('select rolpassword from pg_authid where rolname = $1', [role])).toEqual(stored);
  await running.stop();
});
