import { randomBytes } from 'node:crypto';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { freePort } from '../support/embedded-postgres.ts';
import { waitFor } from '../support/wait-for.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  homeserverManifest,
  listChildren,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
  writeSecret,
} from './support/stage.ts';

let stage: Stage;
beforeAll(async () => {
  stage = await openStage();
  await stage.startOperator();
});
afterAll(() => stage.dispose());
afterEach(() => {
  stage.actors.behaviour.failJobsWith = undefined;
  stage.actors.behaviour.failRollouts = false;
  stage.actors.behaviour.runsPods = true;
});

const stalledFor = (namespace: string, reason: string) =>
  waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason });

/** The part of a spec that says where the database is. */
function database(more: object, server: object = {}) {
  const { host, port } = stage.postgres;
  return {
    database: {
      server: { host, port, adminSecretRef: { name: 'pg-admin' }, ...server },
      tls: { mode: 'Disable' },
      ...more,
    },
  };
}

test('a missing Secret is named with the keys it needs, and the resource goes on as soon as it is there', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, database({}, { adminSecretRef: { name: 'later' } }));
  const view = await stalledFor(namespace, 'SecretMissing');
  expect(conditionOf(view, 'SecretsReady')).toMatchObject({ status: 'False', reason: 'SecretMissing' });
  expect(conditionOf(view, 'Ready')?.message).toBe(
    `Secret ${namespace}/later is missing: create it with the keys username, password`,
  );
  expect(conditionOf(view, 'DatabaseReady')).toMatchObject({ status: 'Unknown', reason: 'Pending' });
  const { username, password } = stage.postgres;
  await writeSecret(stage.client, { namespace, name: 'later' }, { username, password });
  await waitReady(stage, namespace);
});

test('a wrong password is told apart from an unreachable server, and its correction is enough', async () => {
  const namespace = await stage.namespace();
  await writeSecret(stage.client, { namespace, name: 'pg-admin' }, { username: 'postgres', password: 'wrong' });
  await applyHomeserver(stage, namespace);
  const view = await stalledFor(namespace, 'LoginRefused');
  expect(conditionOf(view, 'DatabaseReady')?.message).toContain(`Secret ${namespace}/pg-admin`);
  expect(conditionOf(view, 'DatabaseReady')?.message).not.toContain('wrong');
  const { username, password } = stage.postgres;
  await writeSecret(stage.client, { namespace, name: 'pg-admin' }, { username, password });
  await waitReady(stage, namespace);
});

test('an unreachable server is Reconciling, not Stalled, and the message names address and remedy', async () => {
  const namespace = await stage.namespace();
  const port = await freePort();
  await applyHomeserver(stage, namespace, database({}, { port }));
  const view = await waitCondition(stage, namespace, { type: 'Ready', status: 'False', reason: 'DatabaseUnreachable' });
  expect(conditionOf(view, 'Reconciling')?.status).toBe('True');
  expect(conditionOf(view, 'Stalled')?.status).toBe('False');
  expect(conditionOf(view, 'Ready')?.message).toContain(`:${port} cannot be reached`);
  expect([...(await listChildren(stage, namespace)).keys()]).toContain('Service/chat');
});

test('a login that may not create roles is told so', async () => {
  const namespace = await stage.namespace();
  const role = `weak_${namespace.replace('-', '_')}`;
  await stage.sql(`create role ${role} login password 'weak-password'`);
  await writeSecret(stage.client, { namespace, name: 'pg-admin' }, { username: role, password: 'weak-password' });
  await applyHomeserver(stage, namespace);
  const view = await stalledFor(namespace, 'InsufficientPrivilege');
  expect(conditionOf(view, 'DatabaseReady')?.message).toMatch(/CREATEROLE|CREATEDB/i);
});

test('an administrator without superuser is enough', async () => {
  const namespace = await stage.namespace();
  const role = `plain_${namespace.replace('-', '_')}`;
  await stage.sql(`create role ${role} login createrole createdb password 'plain-password'`);
  await writeSecret(stage.client, { namespace, name: 'pg-admin' }, { username: role, password: 'plain-password' });
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
});

test('a database of the wrong collation is refused with the way out', async () => {
  const namespace = await stage.namespace();
  const name = `wrong_${namespace.replace('-', '_')}`;
  await stage.sql(`create database ${name} encoding 'UTF8' locale_provider icu icu_locale 'en' template template0`);
  await applyHomeserver(stage, namespace, database({ name, adoptPolicy: 'Empty' }));
  const view = await stalledFor(namespace, 'WrongCollation');
  expect(conditionOf(view, 'DatabaseReady')?.message).toMatch(/collat/i);
});

test('a database that holds tables of somebody else is refused, whatever adoptPolicy says', async () => {
  const namespace = await stage.namespace();
  const name = `theirs_${namespace.replace('-', '_')}`;
  await stage.sql(`create database ${name} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0`);
  await stage.sql('create table public.precious (id int)', [], name);
  await applyHomeserver(stage, namespace, database({ name, adoptPolicy: 'Empty' }));
  await stalledFor(namespace, 'DatabaseConflict');
  expect(await stage.sql('select count(*)::int as count from public.precious', [], name)).toEqual([{ count: 0 }]);
});

test('a database that was dropped behind our back is DatabaseLost and is not made again', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const { status } = await waitReady(stage, namespace);
  const name = status.database?.name ?? '';
  stage.actors.behaviour.runsPods = false;
  await stage.sql(`drop database ${name} with (force)`);
  await applyHomeserver(stage, namespace, { config: { logLevel: 'debug' } });
  const view = await stalledFor(namespace, 'DatabaseLost');
  expect(conditionOf(view, 'Available')?.status).toBe('True');
  expect(await stage.sql('select 1 from pg_database where datname = $1', [name])).toEqual([]);
});

test('settings that the homeserver does not know are named by path, and old replicas are left alone', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  const before = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  await applyHomeserver(stage, namespace, { config: { rooms: { defaultVersion: '13' }, colour: 'red' } });
  const view = await stalledFor(namespace, 'ConfigInvalid');
  expect(conditionOf(view, 'Ready')?.message).toContain('spec.config.rooms.defaultVersion');
  expect(conditionOf(view, 'Ready')?.message).toContain('colour');
  expect(conditionOf(view, 'DatabaseReady')?.status).toBe('True');
  const after = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  expect(after?.metadata.resourceVersion).toBe(before?.metadata.resourceVersion);
  await applyHomeserver(stage, namespace, { config: { logLevel: 'debug' } });
  await waitReady(stage, namespace);
});

test('settings that belong to the operator are refused', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { config: { serverName: 'other.example', listeners: {} } });
  const view = await stalledFor(namespace, 'ConfigInvalid');
  expect(conditionOf(view, 'Ready')?.message).toContain('serverName, listeners');
});

test('a version that the operator does not know names those it knows', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { version: '9.9.9' });
  const view = await stalledFor(namespace, 'VersionUnknown');
  expect(conditionOf(view, 'Ready')?.message).toContain('it knows 0.1.0');
});

test('of two resources with one server name the younger stalls and touches nothing', async () => {
  const [older, younger] = [await stage.namespace(), await stage.namespace()];
  await applyHomeserver(stage, older, { serverName: 'twice.example' });
  await waitReady(stage, older);
  await waitFor(() => Date.now() % 1000 < 500, { what: 'another second, since creation times have whole ones' });
  await applyHomeserver(stage, younger, { serverName: 'twice.example' });
  const view = await stalledFor(younger, 'ServerNameConflict');
  expect(conditionOf(view, 'Ready')?.message).toContain(`${older}/chat`);
  expect((await listChildren(stage, younger)).size).toBe(0);
  await stage.client.delete(KINDS.homeserver, { namespace: older, name: 'chat' });
  await stage.client.apply(
    KINDS.homeserver,
    homeserverManifest(stage, younger, { serverName: 'twice.example', replicas: 2 }),
    'user',
  );
  await waitReady(stage, younger);
});

test('of two resources with one signing key the younger stalls by KeyReuse and never uses it; with another key it is served', async () => {
  const [older, younger] = [await stage.namespace(), await stage.namespace()];
  const signingKeys = { keys: [{ name: 'k1', state: 'Active', secretRef: { name: 'brought', key: 'signing.key' } }] };
  const text = `ed25519 a_AbCd ${randomBytes(32).toString('base64').replace('=', '')}\n`;
  for (const namespace of [older, younger]) {
    await writeSecret(stage.client, { namespace, name: 'brought' }, { 'signing.key': text });
  }
  await applyHomeserver(stage, older, { signingKeys });
  await waitReady(stage, older);
  await waitFor(() => Date.now() % 1000 < 500, { what: 'another second, since creation times have whole ones' });
  await applyHomeserver(stage, younger, { signingKeys });
  const view = await stalledFor(younger, 'KeyReuse');
  expect(conditionOf(view, 'SigningKeysReady')?.message).toContain(`${older}/chat`);
  expect(view.status.signingKeys ?? []).toEqual([]);
  expect([...(await listChildren(stage, younger)).keys()]).not.toContain('Secret/chat-keyring');
  expect(conditionOf(await readHomeserver(stage, older), 'Ready')).toMatchObject({ status: 'True' });
  const other = `ed25519 a_AbCd ${randomBytes(32).toString('base64').replace('=', '')}\n`;
  await writeSecret(stage.client, { namespace: younger, name: 'brought' }, { 'signing.key': other });
  await waitReady(stage, younger);
});

test('a migration that can never succeed says so, and runs again when its Job is deleted', async () => {
  const namespace = await stage.namespace();
  stage.actors.behaviour.failJobsWith = 10;
  await applyHomeserver(stage, namespace);
  const view = await stalledFor(namespace, 'MigrationFailed');
  expect(conditionOf(view, 'SchemaReady')?.message).toContain('the configuration is invalid');
  expect([...(await listChildren(stage, namespace)).keys()]).not.toContain('Deployment/chat');
  stage.actors.behaviour.failJobsWith = undefined;
  const job = [...(await listChildren(stage, namespace)).values()].find(({ metadata }) =>
    metadata.name.includes('-migrate-'),
  );
  await stage.client.delete(KINDS.job, { namespace, name: job?.metadata.name ?? '' });
  await waitReady(stage, namespace);
});

test('a failed migration runs again when the settings change', async () => {
  const namespace = await stage.namespace();
  stage.actors.behaviour.failJobsWith = 10;
  await applyHomeserver(stage, namespace);
  await stalledFor(namespace, 'MigrationFailed');
  stage.actors.behaviour.failJobsWith = undefined;
  await applyHomeserver(stage, namespace, { config: { logLevel: 'debug' } });
  await waitReady(stage, namespace);
});

test('a rollout that gets no ready pod is RolloutFailed, never taken back, and recovers by a new spec', async () => {
  const namespace = await stage.namespace();
  stage.actors.behaviour.failRollouts = true;
  await applyHomeserver(stage, namespace);
  const view = await stalledFor(namespace, 'RolloutFailed');
  expect(conditionOf(view, 'Available')).toMatchObject({ status: 'False', reason: 'NoReplica' });
  stage.actors.behaviour.failRollouts = false;
  await waitReady(stage, namespace);
});

test('pod settings that the API server refuses are PodTemplateInvalid', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { pod: { tolerations: [{ operator: 'Sometimes' }] } });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True' });
  expect(conditionOf(view, 'Stalled')?.reason).toMatch(/^(PodTemplateInvalid|ObjectInvalid)$/);
  expect(conditionOf(view, 'Stalled')?.message).toContain('tolerations');
});

test('an object of somebody else with the name of a child is left alone', async () => {
  const namespace = await stage.namespace();
  const theirs = {
    apiVersion: 'v1',
    kind: 'Service',
    metadata: { namespace, name: 'chat' },
    spec: { ports: [{ port: 1 }] },
  };
  const before = await stage.client.create(KINDS.service, theirs, 'user');
  await applyHomeserver(stage, namespace);
  const view = await stalledFor(namespace, 'ObjectConflict');
  expect(conditionOf(view, 'WorkloadReady')?.message).toContain(`Service ${namespace}/chat`);
  const after = await stage.client.get(KINDS.service, { namespace, name: 'chat' });
  expect(after?.metadata.resourceVersion).toBe(before.metadata.resourceVersion);
  await stage.client.delete(KINDS.service, { namespace, name: 'chat' });
  await applyHomeserver(stage, namespace, { replicas: 2 });
  await waitReady(stage, namespace);
});

test('a paused resource is left alone, says so, and acknowledges the pause but not a later edit', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  await applyHomeserver(stage, namespace, { paused: true });
  const view = await waitCondition(stage, namespace, { type: 'Paused', status: 'True' });
  expect(view.status.observedGeneration).toBe(view.metadata.generation);
  expect(conditionOf(view, 'Ready')?.status).toBe('True');
  await stage.client.delete(KINDS.service, { namespace, name: 'chat' });
  await applyHomeserver(stage, namespace, { paused: true, replicas: 3 });
  await waitFor(
    async () => (await readHomeserver(stage, namespace)).metadata.generation === view.metadata.generation + 1,
    {
      what: 'the edit',
    },
  );
  expect((await readHomeserver(stage, namespace)).status.observedGeneration).toBe(view.metadata.generation);
  await applyHomeserver(stage, namespace, { replicas: 3 });
  const resumed = await waitReady(stage, namespace);
  expect(resumed.status.readyReplicas).toBe(3);
  expect([...(await listChildren(stage, namespace)).keys()]).toContain('Service/chat');
});
