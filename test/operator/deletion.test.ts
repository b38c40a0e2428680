import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import type { KubeObject } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import {
  deleteNamespace,
  eventReasons,
  makeClaim,
  offerServer,
  onServer,
  secretNames,
  takeContents,
  untouched,
} from './support/deleted.ts';
import { liveUntil } from './support/killed-operator.ts';
import { startProxy } from './support/killing-proxy.ts';
import type { RunningOperator, Stage, StartOptions } from './support/stage.ts';
import { applyHomeserver, conditionOf, openStage, readHomeserver, waitReady, writeSecret } from './support/stage.ts';
import { TcpProxy } from './support/tcp-proxy.ts';

const FINALIZER = 'matrix-operator.dev/database';

let stage: Stage;
let proxy: TcpProxy;
/** By how much the operator's clock that does not jump is ahead, ms. */
let ahead = 0;
let running: RunningOperator | undefined;
beforeAll(async () => {
  stage = await openStage();
  proxy = await new TcpProxy(stage.postgres).start();
});
afterEach(async () => {
  proxy.mode = 'open';
  ahead = 0;
  await running?.stop();
  running = undefined;
});
afterAll(async () => {
  await stage.dispose();
  await proxy.close();
});

async function startOperator(namespace: string, options: StartOptions = {}): Promise<RunningOperator> {
  running = await stage.startOperator({
    watchNamespaces: [namespace],
    secretNamespaces: [namespace],
    clock: () => performance.now() + ahead,
    ...options,
  });
  return running;
}

const toDelete = (namespace: string) => ({ deletion: { policy: 'Delete', confirm: `${namespace}.example` } });

/** Over the proxy, so that the server can vanish. */
function overProxy(passwordVersion = 1) {
  const server = { host: '127.0.0.1', port: proxy.port, adminSecretRef: { name: 'pg-admin' } };
  return { database: { server, tls: { mode: 'Disable' }, passwordVersion } };
}

const find = (namespace: string) => stage.client.get(KINDS.homeserver, { namespace, name: 'chat' });

const finalizers = async (namespace: string) => (await find(namespace))?.metadata.finalizers ?? [];

const remove = (namespace: string) => stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });

const waitGone = (namespace: string) =>
  waitFor(async () => (await find(namespace)) === undefined, { what: 'the resource to be gone' });

async function waitCondition(namespace: string, type: string, reason: string) {
  return waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      const found = conditionOf(view, type);
      return found?.status === 'True' && found.reason === reason ? view : undefined;
    },
    { what: `${type} ${reason}` },
  );
}

const isWayOut = ({ message }: { message: string }) => message.includes('to let go of the database');

async function databaseOf(namespace: string): Promise<string> {
  return (await readHomeserver(stage, namespace)).status.database?.name ?? expect.fail('no database');
}

test('Retain has no finalizer: deleted without any operator the resource is gone at once, and all data stays', async () => {
  const namespace = await stage.namespace();
  const operator = await startOperator(namespace);
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  expect(await finalizers(namespace)).toEqual([]);
  const name = await databaseOf(namespace);
  await operator.stop();
  await remove(namespace);
  expect(await find(namespace)).toBeUndefined();
  expect(await onServer(stage, name)).toEqual(untouched(name));
});

test('switching the policy adds and removes the finalizer at once, and leaves those of others', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), paused: true });
  await waitFor(async () => (await finalizers(namespace)).includes(FINALIZER), { what: 'the finalizer' });
  const object: KubeObject = (await find(namespace)) ?? expect.fail('gone');
  expect(object.metadata.managedFields?.map(({ manager }) => manager)).toContain('matrix-operator-finalizers');
  const metadata = { ...object.metadata, finalizers: [FINALIZER, 'example.org/theirs'] };
  await stage.client.replace(KINDS.homeserver, { ...object, metadata }, 'somebody');
  await applyHomeserver(stage, namespace, { deletion: { policy: 'Retain' }, paused: true });
  await waitFor(async () => !(await finalizers(namespace)).includes(FINALIZER), { what: 'no finalizer' });
  expect(await finalizers(namespace)).toEqual(['example.org/theirs']);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), paused: true });
  await waitFor(async () => (await finalizers(namespace)).includes(FINALIZER), { what: 'the finalizer again' });
});

test('Delete drops database and roles, deletes Secrets and volume claims that were retained, and nothing else', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, toDelete(namespace));
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  const retained = { 'matrix-operator.dev/retained': 'true', 'matrix-operator.dev/homeserver': 'chat' };
  await makeClaim(stage, namespace, 'media', retained);
  await makeClaim(stage, namespace, 'of-another', { ...retained, 'matrix-operator.dev/homeserver': 'other' });
  await remove(namespace);
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
  expect(await stage.client.get(KINDS.deployment, { namespace, name: 'chat' })).toBeUndefined();
  // Kubernetes collects the keyring, which belongs to the resource.
  expect(await secretNames(stage, namespace)).toEqual(['chat-keyring', 'pg-admin']);
  const claims = (await stage.client.list(KINDS.persistentVolumeClaim, { namespace })).items;
  expect(claims.filter(({ metadata }) => metadata.deletionTimestamp === undefined)).toEqual([
    expect.objectContaining({ metadata: expect.objectContaining({ name: 'of-another' }) as unknown }),
  ]);
  expect(await eventReasons(stage, namespace)).toContain('Normal DatabaseDropped');
});

test('a rotated database is dropped with both of its logins', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy(1) });
  await waitReady(stage, namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy(2) });
  const name = await databaseOf(namespace);
  await waitFor(async () => (await readHomeserver(stage, namespace)).status.database?.passwordVersion === 2, {
    what: 'the rotation',
  });
  expect(await onServer(stage, name)).toEqual([...untouched(name), `${name}_1`]);
  await remove(namespace);
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
});

test('sessions of the replicas are waited for; after 90 seconds they are ended', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, toDelete(namespace));
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  const { username = '', password = '' } =
    (await readSecret(stage.client, { namespace, name: 'chat-db' }))?.values ?? {};
  const lingering = await stage.connect({ username, password, database: name });
  await remove(namespace);
  const view = await waitCondition(namespace, 'Reconciling', 'Deleting');
  expect(conditionOf(view, 'Stalled')?.status).toBe('False');
  expect(await stage.client.get(KINDS.deployment, { namespace, name: 'chat' })).toBeUndefined();
  expect(await onServer(stage, name)).toEqual(untouched(name));
  ahead = 91_000;
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
  await expect(lingering.query('select 1')).rejects.toThrow();
  await lingering.end().catch(() => undefined);
});

test.for([
  { name: 'another claim', comment: `matrix-operator/1 claim=${randomUUID()} server=other.org` },
  { name: 'a comment that is no claim', comment: 'the database of somebody' },
])(
  'with $name on the database nothing is dropped or deleted, a Warning says so, and the resource goes',
  async ({ comment }) => {
    const namespace = await stage.namespace();
    await startOperator(namespace);
    await applyHomeserver(stage, namespace, toDelete(namespace));
    await waitReady(stage, namespace);
    const name = await databaseOf(namespace);
    await running?.stop();
    await stage.sql(`comment on database ${name} is '${comment}'`);
    await stage.sql(`comment on role ${name} is '${comment}'`);
    await remove(namespace);
    await startOperator(namespace);
    await waitGone(namespace);
    expect(await onServer(stage, name)).toEqual(untouched(name));
    expect(await secretNames(stage, namespace)).toEqual([
      'chat-app',
      'chat-db',
      'chat-key-k1',
      'chat-keyring',
      'pg-admin',
    ]);
    expect(await eventReasons(stage, namespace)).toContain('Warning DatabaseKept');
  },
);

test('a server that is away stalls the deletion; Retain in the meantime lets go, and the data stays', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy() });
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  proxy.mode = 'refuse';
  await remove(namespace);
  const view = await waitCondition(namespace, 'Stalled', 'DatabaseUnreachable');
  expect(conditionOf(view, 'Stalled')?.message).toContain('set deletion.policy to Retain');
  expect(await finalizers(namespace)).toEqual([FINALIZER]);
  await applyHomeserver(stage, namespace, { deletion: { policy: 'Retain' }, ...overProxy() });
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual(untouched(name));
  expect(await secretNames(stage, namespace)).toContain('chat-db');
});

test('a server that comes back lets the deletion end by itself', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy() });
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  proxy.mode = 'refuse';
  await remove(namespace);
  await waitCondition(namespace, 'Stalled', 'DatabaseUnreachable');
  proxy.mode = 'open';
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
});

test('a namespace that is deleted with serverRef: the database is dropped although all Secrets went first', async () => {
  const [platform, namespace] = [await stage.namespace(), await stage.namespace()];
  await offerServer(stage, platform, stage.postgres.port);
  await startOperator(namespace, { namespace: platform });
  await stage.client.apply(
    KINDS.homeserver,
    {
      apiVersion: 'matrix-operator.dev/v1alpha1',
      kind: 'MatrixHomeserver',
      metadata: { namespace, name: 'chat' },
      spec: { serverName: `${namespace}.example`, database: { serverRef: { name: 'shared' } }, ...toDelete(namespace) },
    },
    'user',
  );
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  await deleteNamespace(stage, namespace);
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
});

test('a namespace that is deleted: what runs is stopped and the database dropped before Kubernetes comes to the resource', async () => {
  const [keeps, drops] = [await stage.namespace(), await stage.namespace()];
  await startOperator(drops, { watchNamespaces: [], secretNamespaces: 'all' });
  await applyHomeserver(stage, keeps);
  await applyHomeserver(stage, drops, toDelete(drops));
  await Promise.all([waitReady(stage, keeps), waitReady(stage, drops)]);
  const [kept, dropped] = [await databaseOf(keeps), await databaseOf(drops)];
  for (const name of [keeps, drops]) await stage.client.delete(KINDS.namespace, { name });
  await waitFor(async () => (await finalizers(drops)).length === 0, { what: 'the finalizer to go' });
  const isStopped = async (namespace: string) =>
    (await stage.client.get(KINDS.deployment, { namespace, name: 'chat' })) === undefined;
  for (const namespace of [keeps, drops]) {
    await waitFor(() => isStopped(namespace), { what: 'the Deployment to go' });
    expect(await find(namespace)).toBeDefined();
  }
  expect([await onServer(stage, kept), await onServer(stage, dropped)]).toEqual([untouched(kept), []]);
});

test('a namespace that is deleted with server: its Secrets may go while the replicas still end', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace, { watchNamespaces: [], secretNamespaces: 'all' });
  await applyHomeserver(stage, namespace, toDelete(namespace));
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  const { username = '', password = '' } =
    (await readSecret(stage.client, { namespace, name: 'chat-db' }))?.values ?? {};
  const lingering = await stage.connect({ username, password, database: name });
  await stage.client.delete(KINDS.namespace, { name: namespace });
  await waitCondition(namespace, 'Reconciling', 'Deleting');
  await takeContents(stage, namespace);
  expect(await secretNames(stage, namespace)).toEqual([]);
  expect(await onServer(stage, name)).toEqual(untouched(name));
  await lingering.end();
  await waitGone(namespace);
  expect(await onServer(stage, name)).toEqual([]);
});

test('a namespace that is deleted while its server is gone: after 5 minutes it is let go, told by metric and log', async () => {
  const namespace = await stage.namespace();
  const operator = await startOperator(namespace);
  await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy() });
  await waitReady(stage, namespace);
  const name = await databaseOf(namespace);
  proxy.mode = 'refuse';
  await deleteNamespace(stage, namespace);
  // The Secret went with the namespace, so nothing but time can end this: it runs from the first look at the deletion.
  const isLooked = async () => (await readHomeserver(stage, namespace)).status.conditions.some(isWayOut);
  await waitFor(isLooked, { what: 'the deletion to be looked at' });
  ahead = 290_000;
  await waitFor(async () => (await finalizers(namespace)).length === 1, { what: 'the finalizer to stay' });
  ahead = 301_000;
  await waitGone(namespace);
  expect(await operator.metrics.registry.getSingleMetricAsString('matrix_operator_orphaned_databases')).toContain(
    'matrix_operator_orphaned_databases 1',
  );
  const errors = operator.lines.filter((line) => line.includes('a database was left behind'));
  expect(errors).toHaveLength(1);
  expect(errors[0]).toContain(`database ${name} on 127.0.0.1:${proxy.port}`);
  expect(await onServer(stage, name)).toEqual(untouched(name));
});

test('an operator whose own namespace is deleted lets go of the resources in it when it is stopped, leader or not', async () => {
  const begin = async (leads: boolean) => {
    const namespace = await stage.namespace();
    const options = { namespace, leaderElection: true, watchNamespaces: [namespace] };
    const first = await stage.startOperator(options);
    await applyHomeserver(stage, namespace, { ...toDelete(namespace), ...overProxy() });
    await waitReady(stage, namespace);
    return { leads, namespace, options, first };
  };
  const begun = await Promise.all([begin(true), begin(false)]);
  proxy.mode = 'hang';
  const end = async ({ leads, namespace, options, first }: (typeof begun)[number]) => {
    const second = await stage.startOperator(options);
    await waitFor(async () => (await second.health('/readyz')).status === 200, { what: 'the standby' });
    await stage.client.delete(KINDS.namespace, { name: namespace });
    await remove(namespace);
    expect(await finalizers(namespace)).toEqual([FINALIZER]);
    await (leads ? first : second).stop();
    await waitGone(namespace);
    await (leads ? second : first).stop();
  };
  await Promise.all(begun.map((one) => end(one)));
});

test('with existing, Delete removes what the operator made and leaves role and database as they are', async () => {
  const namespace = await stage.namespace();
  const role = `kept_${randomUUID().slice(0, 8)}`;
  await stage.sql(`create role ${role} login password 'one'`);
  await stage.sql(
    `create database ${role} owner ${role} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0`,
  );
  const { host, port } = stage.postgres;
  const login = { host, port: String(port), dbname: role, username: role, password: 'one' };
  await writeSecret(stage.client, { namespace, name: 'theirs' }, login);
  await startOperator(namespace);
  const database = { existing: { secretRef: { name: 'theirs' } }, tls: { mode: 'Disable' } };
  await applyHomeserver(stage, namespace, { database, ...toDelete(namespace) });
  await waitReady(stage, namespace);
  await remove(namespace);
  await waitGone(namespace);
  expect(await onServer(stage, role)).toEqual(['database', role]);
  expect(await secretNames(stage, namespace)).toEqual(['chat-keyring', 'pg-admin', 'theirs']);
});

test('a resource that never got a database is let go at once', async () => {
  const namespace = await stage.namespace();
  await startOperator(namespace);
  const server = { host: '127.0.0.1', port: proxy.port, adminSecretRef: { name: 'missing' } };
  await applyHomeserver(stage, namespace, { database: { server, tls: { mode: 'Disable' } }, ...toDelete(namespace) });
  await waitCondition(namespace, 'Stalled', 'SecretMissing');
  await remove(namespace);
  await waitGone(namespace);
});

test('killed after every single write of the deletion, the operator still arrives at the same end', {
  timeout: 240_000,
}, async () => {
  const namespace = await stage.namespace();
  const folder = await mkdtemp(join(tmpdir(), 'matrix-operator-deletion-'));
  const apiProxy = await startProxy(stage.api, folder);
  try {
    const operator = await startOperator(namespace);
    await applyHomeserver(stage, namespace, toDelete(namespace));
    await waitReady(stage, namespace);
    const name = await databaseOf(namespace);
    await operator.stop();
    await remove(namespace);
    const isGone = async () => (await find(namespace)) === undefined;
    const writes = await liveUntil({ namespace, proxy: apiProxy, folder }, isGone, 40);
    expect(writes.filter((line) => line.startsWith('DELETE')).length, writes.join('\n')).toBeGreaterThan(3);
    expect(await onServer(stage, name)).toEqual([]);
    expect(await secretNames(stage, namespace)).toEqual(['chat-keyring', 'pg-admin']);
  } finally {
    await apiProxy.close();
    await rm(folder, { recursive: true, force: true });
  }
});
