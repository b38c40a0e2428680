import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { COMPAT_LEVEL, SCHEMA_LEVEL } from '../../homeserver/contract/schema-version.ts';
import { HomeserverConfig } from '../../homeserver/contract/config-schema.ts';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { decodeSecret, readSecret } from '../../operator/reconcile/secret-data.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  listChildren,
  openStage,
  readHomeserver,
  sorted,
  waitReady,
} from './support/stage.ts';

let stage: Stage;
let operator: RunningOperator;
beforeAll(async () => {
  stage = await openStage();
  operator = await stage.startOperator();
});
afterAll(() => stage.dispose());

test('a small resource becomes a database, secrets, a key, a migrated schema and ready replicas', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const view = await waitReady(stage, namespace);
  const children = await listChildren(stage, namespace);
  const names = sorted([...children.keys()].map((key) => key.replace(/-(config|migrate)-[0-9a-f]+$/, '-$1-HASH')));
  expect(names).toEqual([
    'ConfigMap/chat-config-HASH',
    'Deployment/chat',
    'Job/chat-migrate-HASH',
    'NetworkPolicy/chat',
    'Secret/chat-app',
    'Secret/chat-db',
    'Secret/chat-key-k1',
    'Secret/chat-keyring',
    'Service/chat',
    'ServiceAccount/chat',
  ]);
  const owned = [...children].filter(([, { metadata }]) => metadata.ownerReferences?.[0]?.uid === view.metadata.uid);
  expect(owned).toHaveLength(7);
  const retained = [...children].filter(([, { metadata }]) => metadata.ownerReferences === undefined);
  expect(sorted(retained.map(([key]) => key))).toEqual(['Secret/chat-app', 'Secret/chat-db', 'Secret/chat-key-k1']);
  for (const [, { metadata }] of retained) {
    expect(metadata.labels).toMatchObject({ 'matrix-operator.dev/retained': 'true' });
    expect(metadata.labels).not.toHaveProperty('app.kubernetes.io/instance');
  }
});

test('the status tells what is, and every condition speaks of this generation', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const { status, metadata } = await waitReady(stage, namespace);
  expect(status).toMatchObject({
    observedGeneration: metadata.generation,
    replicas: 1,
    readyReplicas: 1,
    version: { current: '0.1.0', target: '0.1.0', image: 'localhost/matrix-operator:test' },
    schema: { version: SCHEMA_LEVEL, compatVersion: COMPAT_LEVEL },
    endpoints: { client: `http://chat.${namespace}.svc:8008` },
  });
  expect(status.signingKeys?.[0]?.keyID).toMatch(/^ed25519:[a-z2-7]{10}$/);
  expect(status.conditions.map(({ type, status: value }) => `${type}=${value}`)).toEqual([
    'Ready=True',
    'Reconciling=False',
    'Stalled=False',
    'Available=True',
    'Paused=False',
    'DatabaseReady=True',
    'SecretsReady=True',
    'SigningKeysReady=True',
    'SchemaReady=True',
    'WorkloadReady=True',
    'Exposed=True',
    'IntegrationsReady=True',
    'FederationVerified=Unknown',
    'RollbackPossible=False',
    'UpgradeAvailable=False',
  ]);
  for (const { observedGeneration } of status.conditions) expect(observedGeneration).toBe(metadata.generation);
});

test('the database has collation C, belongs to a role without login, and only the login role of this server opens it', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const { status } = await waitReady(stage, namespace);
  const name = status.database?.name ?? '';
  const [found] = await stage.sql(
    `select pg_encoding_to_char(encoding) as encoding, datcollate, datctype, datdba::regrole::text as owner,
       has_database_privilege('public', oid, 'connect') as public from pg_database where datname = $1`,
    [name],
  );
  expect(found).toEqual({ encoding: 'UTF8', datcollate: 'C', datctype: 'C', owner: name, public: false });
  const roles = await stage.sql(
    'select rolname, rolcanlogin, rolsuper from pg_roles where rolname like $1 order by 1',
    [`${name}%`],
  );
  expect(roles).toEqual([
    { rolname: name, rolcanlogin: false, rolsuper: false },
    { rolname: `${name}_0`, rolcanlogin: true, rolsuper: false },
  ]);
});

test('what the pods mount is a valid configuration, keyring and login', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { config: { registration: { mode: 'Open' }, logLevel: 'warn' } });
  await waitReady(stage, namespace);
  const [configMap] = (
    await stage.client.list(KINDS.configMap, { namespace, labelSelector: 'matrix-operator.dev/homeserver' })
  ).items;
  const { data } = z.object({ data: z.record(z.string(), z.string()) }).parse(configMap);
  const config = HomeserverConfig.parse(JSON.parse(data['homeserver.yaml'] ?? ''));
  expect(config).toMatchObject({
    serverName: `${namespace}.example`,
    logLevel: 'warn',
    registration: { mode: 'Open' },
  });
  const keyring = await readSecret(stage.client, { namespace, name: 'chat-keyring' });
  const file = KeyringFile.parse(JSON.parse(keyring?.values['keyring.json'] ?? ''));
  expect(file).toMatchObject({ serverName: `${namespace}.example`, validitySeconds: 86_400 });
  expect(file.keys).toHaveLength(1);
  const login = await readSecret(stage.client, { namespace, name: 'chat-db' });
  expect(sorted(Object.keys(login?.values ?? {}))).toEqual(['claim', 'dbname', 'host', 'password', 'port', 'username']);
});

test('more replicas get a disruption budget, one replica has none', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { replicas: 2 });
  const view = await waitReady(stage, namespace);
  expect(conditionOf(view, 'Ready')?.message).toBe('2/2 replicas serve 0.1.0');
  expect([...(await listChildren(stage, namespace)).keys()]).toContain('PodDisruptionBudget/chat');
  await applyHomeserver(stage, namespace, { replicas: 1 });
  await waitReady(stage, namespace);
  expect([...(await listChildren(stage, namespace)).keys()]).not.toContain('PodDisruptionBudget/chat');
});

test('replicas 0 serves nothing, is Ready and keeps everything', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { replicas: 0 });
  const view = await waitReady(stage, namespace);
  expect(conditionOf(view, 'Ready')?.reason).toBe('ScaledToZero');
  expect(conditionOf(view, 'Available')).toMatchObject({ status: 'False', reason: 'ScaledToZero' });
  expect([...(await listChildren(stage, namespace)).keys()]).toContain('Deployment/chat');
});

test('a database made by somebody else is used as it is, and nothing is created on its server', async () => {
  const namespace = await stage.namespace();
  const { host, port } = stage.postgres;
  const name = `own_${namespace.replace('-', '_')}`;
  await stage.sql(`create role ${name} login password 'own-password'`);
  await stage.sql(
    `create database ${name} owner ${name} encoding 'UTF8' lc_collate 'C' lc_ctype 'C' template template0`,
  );
  await stage.client.apply(
    KINDS.secret,
    {
      apiVersion: 'v1',
      kind: 'Secret',
      metadata: { namespace, name: 'their-database' },
      stringData: { host, port: String(port), dbname: name, username: name, password: 'own-password' },
    },
    'user',
  );
  await applyHomeserver(stage, namespace, {
    database: { existing: { secretRef: { name: 'their-database' } }, tls: { mode: 'Disable' } },
  });
  const { status } = await waitReady(stage, namespace);
  expect(status.database).toMatchObject({ name, loginRole: name, server: `${host}:${port}` });
  const like = [`%${namespace.replace('-', '_')}%`];
  const made =
    'select rolname as name from pg_roles where rolname like $1 union all select datname from pg_database where datname like $1';
  expect(await stage.sql(made, like)).toEqual([{ name }, { name }]);
});

test('no password, seed or token appears in a log line, an Event or the status', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  const view = await waitReady(stage, namespace);
  const secrets = (await stage.client.list(KINDS.secret, { namespace })).items.map(decodeSecret);
  const values = secrets.flatMap(({ object, values: found }) =>
    Object.entries(found)
      .filter(([key]) => isSecretKey(key))
      .map(([key, value]) => ({ what: `${object.metadata.name}/${key}`, value })),
  );
  expect(values.length).toBeGreaterThan(5);
  const events = { apiVersion: 'v1', kind: 'Event', plural: 'events', namespaced: true };
  const shown = [
    ...operator.lines,
    JSON.stringify(await readHomeserver(stage, namespace)),
    JSON.stringify(view),
    JSON.stringify(await stage.client.list(events, { namespace })),
  ].join('\n');
  const leaked = values.filter(({ value }) => shown.includes(value));
  expect(leaked.map(({ what }) => what)).toEqual([]);
  expect(operator.lines.filter((line) => line.includes('"level":"error"'))).toEqual([]);
});

test('the health port tells that the operator lives, is ready, and how much it did', async () => {
  expect(await operator.health('/livez')).toMatchObject({ status: 200 });
  expect(await operator.health('/readyz')).toMatchObject({ status: 200 });
  const { status, text } = await operator.health('/metrics');
  expect(status).toBe(200);
  expect(text).toMatch(/^matrix_operator_leader 1$/m);
  expect(text).toMatch(/^matrix_operator_reconcile_total\{result="later"\} [1-9]/m);
  expect(text).toMatch(/^matrix_operator_watch_age_seconds\{kind="Deployment"\} /m);
  expect(text).toMatch(/^matrix_operator_writes_total\{kind="Deployment"\} [1-9]/m);
});

function isSecretKey(key: string): boolean {
  return !['claim', 'host', 'port', 'dbname', 'username', 'key-id', 'public-key'].includes(key);
}
