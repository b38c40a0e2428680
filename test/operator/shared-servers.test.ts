import { afterAll, beforeAll, expect, test } from 'vitest';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import type { Resource } from '../../operator/runtime/kube-object.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  listChildren,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
} from './support/stage.ts';

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };

let stage: Stage;
/** The namespace of the operator. */
let platform: string;
let admin: { username: string; password: string };
beforeAll(async () => {
  stage = await openStage();
  platform = await stage.namespace();
  admin = { username: 'platform_login', password: 'platform-password' };
  await stage.sql(`create role ${admin.username} login createrole createdb password '${admin.password}'`);
  await stage.startOperator({ namespace: platform });
});
afterAll(async () => {
  await stage.dispose();
});

/** Writes a server entry as the platform team would. */
async function offer(name: string, namespaces: string, over: Record<string, string> = {}, secret = `pg-${name}`) {
  const { host, port } = stage.postgres;
  const metadata = { namespace: platform, name: secret, labels: { 'matrix-operator.dev/database-server': name } };
  const stringData = { host, port: String(port), ...admin, tls: 'Disable', namespaces, ...over };
  await stage.client.apply(KINDS.secret, { apiVersion: 'v1', kind: 'Secret', metadata, stringData }, 'platform');
}

const shared = (name: string) => ({ database: { serverRef: { name } } });

const stalledFor = (namespace: string, reason: string) =>
  waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason });

/** Everything that somebody with all rights in the namespace can read there. */
async function visibleText(namespace: string): Promise<string> {
  const objects = [await readHomeserver(stage, namespace), ...(await listChildren(stage, namespace)).values()];
  const { items: events } = await stage.client.list(EVENTS, { namespace });
  const { items: secrets } = await stage.client.list(KINDS.secret, { namespace });
  const values = await Promise.all(
    secrets
      .filter(({ metadata }) => metadata.name !== 'pg-admin')
      .map(({ metadata }) => readSecret(stage.client, { namespace, name: metadata.name })),
  );
  return JSON.stringify([objects, events, values.map((found) => found?.values)]);
}

test('a tenant waits until its namespace is offered the server, without learning whether there is one; then it is served', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, shared('first'));
  const absent = conditionOf(await stalledFor(namespace, 'ServerNotAllowed'), 'Ready')?.message;
  await offer('first', 'somebody-else');
  await applyHomeserver(stage, namespace, { ...shared('first'), replicas: 2 });
  const foreign = await stalledFor(namespace, 'ServerNotAllowed');
  expect(conditionOf(foreign, 'Ready')?.message).toBe(absent);
  expect(await stage.client.get(KINDS.secret, { namespace, name: 'chat-db' })).toBeUndefined();

  await offer('first', `somebody-else, ${namespace}`);
  const { status } = await waitReady(stage, namespace);
  expect(status.database?.name).toMatch(new RegExp(`^mhs_${namespace.replaceAll('-', '_')}_chat_[0-9a-f]{8}$`));
  expect(status.database?.server).toBe(`${stage.postgres.host}:${stage.postgres.port}`);
});

test('nothing in the namespace of the tenant holds the login of the platform, and no role of the tenant can use it', async () => {
  const namespace = await stage.namespace();
  await offer('hidden', '*');
  await applyHomeserver(stage, namespace, shared('hidden'));
  const { status } = await waitReady(stage, namespace);
  const text = await visibleText(namespace);
  expect(text).not.toContain(admin.username);
  expect(text).not.toContain(admin.password);
  const members = `select count(*)::int as n from pg_auth_members m join pg_roles r on r.oid = m.member
    where m.roleid = $1::regrole and r.rolname like $2`;
  expect(await stage.sql(members, [admin.username, `${status.database?.name}%`])).toEqual([{ n: 0 }]);
});

test('an entry without protection on the wire raises one Warning, however often the resource is looked at', async () => {
  const namespace = await stage.namespace();
  await offer('weak', '*');
  await applyHomeserver(stage, namespace, shared('weak'));
  await waitReady(stage, namespace);
  await applyHomeserver(stage, namespace, { ...shared('weak'), replicas: 2 });
  const view = await waitReady(stage, namespace);
  expect(conditionOf(view, 'DatabaseReady')?.message).toContain('the connection is not encrypted');
  const { items } = await stage.client.list(EVENTS, { namespace });
  expect(items.filter((event) => event['reason'] === 'DatabaseNotProtected')).toEqual([
    expect.objectContaining({ type: 'Warning' }),
  ]);
});

test('a wrong password in the entry is told without names, and the corrected entry is read at once', async () => {
  const namespace = await stage.namespace();
  await offer('wrong', '*', { password: 'not-this-one' });
  await applyHomeserver(stage, namespace, shared('wrong'));
  const view = await stalledFor(namespace, 'LoginRefused');
  expect(conditionOf(view, 'DatabaseReady')?.message).toContain('the entry of database server "wrong"');
  const text = await visibleText(namespace);
  expect(text).not.toContain(admin.username);
  expect(text).not.toContain('not-this-one');
  await offer('wrong', '*');
  await waitReady(stage, namespace);
});

test('a namespace that is taken off the list stalls; its Deployment stays as it is', async () => {
  const namespace = await stage.namespace();
  await offer('withdrawn', namespace);
  await applyHomeserver(stage, namespace, shared('withdrawn'));
  await waitReady(stage, namespace);
  const before = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  await offer('withdrawn', '');
  await stalledFor(namespace, 'ServerNotAllowed');
  const after = await stage.client.get(KINDS.deployment, { namespace, name: 'chat' });
  expect(after?.metadata.generation).toBe(before?.metadata.generation);
  await offer('withdrawn', namespace);
  await waitReady(stage, namespace);
});

test('the authority and the TLS mode of the entry reach the pods', async () => {
  const namespace = await stage.namespace();
  await offer('authority', '*', { 'ca.crt': 'CERTIFICATES' });
  await applyHomeserver(stage, namespace, shared('authority'));
  await waitReady(stage, namespace);
  const secret = await readSecret(stage.client, { namespace, name: 'chat-db' });
  expect(secret?.values['ca.crt']).toBe('CERTIFICATES');
  const deployment = JSON.stringify(await stage.client.get(KINDS.deployment, { namespace, name: 'chat' }));
  expect(deployment).toContain('{"name":"chat-db","items":[{"key":"ca.crt","path":"ca.crt"}]}');
  const config = [...(await listChildren(stage, namespace))].find(([key]) => key.startsWith('ConfigMap/'));
  expect(JSON.stringify(config)).toContain('Disable');
});

test.for([
  { name: 'an entry without a host', over: { host: '' }, reason: 'SecretMissing', message: 'host is empty' },
  {
    name: 'an entry with an unknown TLS mode',
    over: { tls: 'prefer' },
    reason: 'SecretMissing',
    message: 'VerifyFull',
  },
])('$name is named by its key', async ({ over, reason, message }) => {
  const namespace = await stage.namespace();
  await offer(namespace, namespace, over);
  await applyHomeserver(stage, namespace, shared(namespace));
  const view = await stalledFor(namespace, reason);
  expect(conditionOf(view, 'Ready')?.message).toContain(message);
});

test('two Secrets for one entry are refused until one is left', async () => {
  const namespace = await stage.namespace();
  await offer('twice', '*', {}, 'one');
  await offer('twice', '*', {}, 'two');
  await applyHomeserver(stage, namespace, shared('twice'));
  const view = await stalledFor(namespace, 'ServerNotAllowed');
  expect(conditionOf(view, 'Ready')?.message).toContain('offered by 2 Secrets');
  await stage.client.delete(KINDS.secret, { namespace: platform, name: 'two' });
  await waitReady(stage, namespace);
});

test('two tenants of one server cannot enter each other, and neither can use the database of the other', async () => {
  await offer('pair', '*');
  const [one, two] = [await stage.namespace(), await stage.namespace()];
  await applyHomeserver(stage, one, shared('pair'));
  await applyHomeserver(stage, two, shared('pair'));
  const first = await waitReady(stage, one);
  const second = await waitReady(stage, two);
  const [mine, theirs] = [first.status.database?.name ?? '', second.status.database?.name ?? ''];
  expect(mine).not.toBe(theirs);
  const rights = `select has_database_privilege($1, $2, 'connect') as may_connect, pg_has_role($1, $3, 'member') as is_member`;
  expect(await stage.sql(rights, [`${mine}_0`, theirs, theirs])).toEqual([{ may_connect: false, is_member: false }]);
  expect(first.status.database?.claim).not.toBe(second.status.database?.claim);
});
