import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import type { KubeObject, Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import type { RunningOperator, Stage } from './support/stage.ts';
import {
  applyHomeserver,
  collectGarbage,
  conditionOf,
  homeserverManifest,
  listChildren,
  openStage,
  readHomeserver,
  sorted,
  waitCondition,
  waitReady,
} from './support/stage.ts';

let stage: Stage;
let operator: RunningOperator;
let namespace: string;
beforeAll(async () => {
  stage = await openStage();
  operator = await stage.startOperator();
  namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { replicas: 2 });
  await waitReady(stage, namespace);
});
afterAll(() => stage.dispose());

const Replicas = z.looseObject({ spec: z.looseObject({ replicas: z.int() }) });
const Template = z.looseObject({
  spec: z.looseObject({
    template: z.looseObject({ metadata: z.looseObject({ annotations: z.record(z.string(), z.string()) }) }),
  }),
});

const EVENTS: Resource = { apiVersion: 'events.k8s.io/v1', kind: 'Event', plural: 'events', namespaced: true };

const Told = z.looseObject({ type: z.string(), reason: z.string(), note: z.string() });
const Budget = z.looseObject({ spec: z.looseObject({ maxUnavailable: z.int() }) });

const Pods = z.looseObject({ status: z.looseObject({ readyReplicas: z.int() }) });

/** Over all labels. */
const sumOf = ({ values }: { values: readonly { value: number }[] }) =>
  values.reduce((sum, { value }) => sum + value, 0);

/** What stays of a deleted resource. */
const RETAINED = ['Secret/chat-app', 'Secret/chat-db', 'Secret/chat-key-k1'];

const get = (resource: Resource, name: string) => stage.client.get(resource, { namespace, name });

async function checksum(): Promise<string> {
  const { spec } = Template.parse(await get(KINDS.deployment, 'chat'));
  return spec.template.metadata.annotations['matrix-operator.dev/secrets-checksum'] ?? '';
}

const DELETED: { name: string; resource: Resource; child: string }[] = [
  { name: 'a deleted Service comes back', resource: KINDS.service, child: 'chat' },
  { name: 'a deleted Deployment comes back', resource: KINDS.deployment, child: 'chat' },
  { name: 'a deleted ServiceAccount comes back', resource: KINDS.serviceAccount, child: 'chat' },
  { name: 'a deleted disruption budget comes back', resource: KINDS.podDisruptionBudget, child: 'chat' },
  { name: 'a deleted NetworkPolicy comes back', resource: KINDS.networkPolicy, child: 'chat' },
  { name: 'a deleted keyring comes back from the key', resource: KINDS.secret, child: 'chat-keyring' },
];

test.for(DELETED)('$name', async ({ resource, child }) => {
  const before = await get(resource, child);
  await stage.client.delete(resource, { namespace, name: child });
  const after = await waitFor(
    async () => {
      const found = await get(resource, child);
      return found?.metadata.uid !== before?.metadata.uid ? found : undefined;
    },
    { what: `${child} to come back` },
  );
  expect(after.metadata.ownerReferences).toEqual(before?.metadata.ownerReferences);
  await waitReady(stage, namespace);
});

test('a deleted ConfigMap comes back', async () => {
  const name =
    [...(await listChildren(stage, namespace)).keys()].find((key) => key.startsWith('ConfigMap/'))?.slice(10) ?? '';
  await stage.client.delete(KINDS.configMap, { namespace, name });
  await waitFor(() => get(KINDS.configMap, name), { what: 'the ConfigMap to come back' });
});

test('a field that we own and somebody changed is put back; a field of theirs stays', async () => {
  const deployment = (await get(KINDS.deployment, 'chat')) ?? expect.fail('no Deployment');
  const annotations = { ...deployment.metadata.annotations, 'example.org/theirs': 'yes' };
  const { spec } = Replicas.parse(deployment);
  const edited: KubeObject = {
    ...deployment,
    metadata: { ...deployment.metadata, annotations },
    spec: { ...spec, replicas: 7 },
  };
  await stage.client.replace(KINDS.deployment, edited, 'somebody');
  const mended = await waitFor(
    async () => {
      const found = await get(KINDS.deployment, 'chat');
      return found !== undefined && Replicas.parse(found).spec.replicas === 2 ? found : undefined;
    },
    { what: 'the replicas to be put back' },
  );
  expect(mended.metadata.annotations).toMatchObject({ 'example.org/theirs': 'yes' });
  await waitReady(stage, namespace);
});

test('Ready and Available turn as soon as no replica is ready any more, and back: the watch tells, not the next look', async () => {
  const place = await stage.namespace();
  const { leaves } = stage.actors.behaviour;
  await applyHomeserver(stage, place);
  await waitReady(stage, place);
  leaves.add(place);
  try {
    const deployment =
      (await stage.client.get(KINDS.deployment, { namespace: place, name: 'chat' })) ?? expect.fail('no Deployment');
    const { resourceVersion } = deployment.metadata;
    const status = { ...Pods.parse(deployment).status, readyReplicas: 0, availableReplicas: 0 };
    const patch = { namespace: place, name: 'chat', resourceVersion, status };
    await stage.client.applyStatus(KINDS.deployment, patch, 'stand-in');
    const view = await waitCondition(stage, place, { type: 'Ready', status: 'False', reason: 'Rolling' });
    expect(conditionOf(view, 'Available')).toMatchObject({ status: 'False', reason: 'NoReplica' });
    expect(view.status.readyReplicas).toBe(0);
  } finally {
    leaves.delete(place);
  }
  await waitReady(stage, place);
});

test('who changes a child again and again is named once, and the child is then put back every five minutes only', async () => {
  const place = await stage.namespace();
  await applyHomeserver(stage, place, { replicas: 2 });
  await waitReady(stage, place);
  const name = { namespace: place, name: 'chat' };
  const budget = async () =>
    (await stage.client.get(KINDS.podDisruptionBudget, name)) ?? expect.fail('no disruption budget');
  const counted = async () => sumOf(await operator.metrics.driftRepairs.get());
  const wanted = Budget.parse(await budget()).spec;
  const before = await counted();
  const change = async (maxUnavailable: number) =>
    stage.client.replace(
      KINDS.podDisruptionBudget,
      { ...(await budget()), spec: { ...wanted, maxUnavailable } },
      'other-tool',
    );
  for (let time = 0; time < 5; time += 1) {
    await change(2);
    const isBack = async () => isDeepStrictEqual((await budget())['spec'], wanted);
    await waitFor(isBack, { what: `the budget to be put back for time ${time}` });
  }
  await change(3);
  // A whole run with this change in it; the edit of the spec makes another Deployment, which is no drift.
  await applyHomeserver(stage, place, { replicas: 3 });
  await waitReady(stage, place);
  expect(await budget()).toMatchObject({ spec: { maxUnavailable: 3 } });
  expect((await counted()) - before).toBe(5);
  const { items } = await stage.client.list(EVENTS, { namespace: place });
  const told = items.map((item) => Told.parse(item)).filter(({ reason }) => reason === 'ObjectContested');
  expect(told.map(({ type, note }) => `${type}: ${note}`)).toEqual([
    `Warning: PodDisruptionBudget ${place}/chat is changed again and again by other-tool; from now on it is put back ` +
      'every 5 minutes. Let one of the two alone say what it is.',
  ]);
});

test('deleted application secrets are made again and the pods roll', async () => {
  const before = await checksum();
  const old = await readSecret(stage.client, { namespace, name: 'chat-app' });
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-app' });
  await waitFor(async () => (await checksum()) !== before, { what: 'the pods to roll' });
  const made = await readSecret(stage.client, { namespace, name: 'chat-app' });
  expect(sorted(Object.keys(made?.values ?? {}))).toEqual(['form-key', 'registration-secret', 'token-key']);
  expect(made?.values).not.toEqual(old?.values);
  await waitReady(stage, namespace);
});

test('edited application secrets are used as they are and the pods roll', async () => {
  const before = await checksum();
  const found = await stage.client.get(KINDS.secret, { namespace, name: 'chat-app' });
  const stringData = { 'registration-secret': 'chosen-by-a-person' };
  await stage.client.replace(KINDS.secret, { ...(found ?? expect.fail('no Secret')), stringData }, 'somebody');
  await waitFor(async () => (await checksum()) !== before, { what: 'the pods to roll' });
  const kept = await readSecret(stage.client, { namespace, name: 'chat-app' });
  expect(kept?.values['registration-secret']).toBe('chosen-by-a-person');
});

test('a deleted database Secret is made again with the other login role; database, claim and users stay', async () => {
  const old = await readSecret(stage.client, { namespace, name: 'chat-db' });
  const { status } = await readHomeserver(stage, namespace);
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-db' });
  const made = await waitFor(() => readSecret(stage.client, { namespace, name: 'chat-db' }), { what: 'the Secret' });
  expect(made.values['claim']).toBe(old?.values['claim']);
  expect(made.values['username']).toBe(`${status.database?.name}_1`);
  expect(made.values['password']).not.toBe(old?.values['password']);
  const view = await waitFor(
    async () => {
      const found = await waitReady(stage, namespace);
      return found.status.database?.loginRole === made.values['username'] ? found : undefined;
    },
    { what: 'the new login in the status' },
  );
  expect(view.status.database?.claim).toBe(status.database?.claim);
});

test('an edited password in the database Secret becomes the password of the role', async () => {
  const found = await stage.client.get(KINDS.secret, { namespace, name: 'chat-db' });
  const before = await checksum();
  const stringData = { password: 'chosen-by-a-person' };
  await stage.client.replace(KINDS.secret, { ...(found ?? expect.fail('no Secret')), stringData }, 'somebody');
  await waitFor(async () => (await checksum()) !== before, { what: 'the pods to roll' });
  await waitReady(stage, namespace);
});

test('a deleted key Secret is made again from the keyring, byte for byte', async () => {
  const old = await readSecret(stage.client, { namespace, name: 'chat-key-k1' });
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-key-k1' });
  const made = await waitFor(() => readSecret(stage.client, { namespace, name: 'chat-key-k1' }), { what: 'the key' });
  expect(made.values).toEqual(old?.values);
});

test('a key that is lost everywhere stalls; no second key is made; pods run on; the restored key heals it', async () => {
  const own = await stage.namespace();
  await applyHomeserver(stage, own);
  await waitReady(stage, own);
  const key = await stage.client.get(KINDS.secret, { namespace: own, name: 'chat-key-k1' });
  await applyHomeserver(stage, own, { paused: true });
  await waitCondition(stage, own, { type: 'Paused', status: 'True' });
  await stage.client.delete(KINDS.secret, { namespace: own, name: 'chat-keyring' });
  await stage.client.delete(KINDS.secret, { namespace: own, name: 'chat-key-k1' });
  await applyHomeserver(stage, own);
  const view = await waitCondition(stage, own, { type: 'Stalled', status: 'True', reason: 'KeyLost' });
  expect(view.status.readyReplicas).toBe(1);
  expect(await stage.client.get(KINDS.secret, { namespace: own, name: 'chat-key-k1' })).toBeUndefined();
  const { metadata, ...rest } = key ?? expect.fail('no key');
  const restored = {
    ...rest,
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: { name: metadata.name, namespace: own, labels: metadata.labels },
  };
  await stage.client.create(KINDS.secret, restored, 'somebody');
  await waitReady(stage, own);
});

test('a wiped status is rebuilt from database, ledger and Deployment', async () => {
  const { status, metadata } = await waitReady(stage, namespace);
  const raw = (await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' })) ?? expect.fail('gone');
  const statusOf = { ...KINDS.homeserver, plural: 'matrixhomeservers' };
  await stage.client.applyStatus(
    statusOf,
    {
      namespace,
      name: 'chat',
      resourceVersion: raw.metadata.resourceVersion,
      status: { observedGeneration: -1, conditions: [] },
    },
    'matrix-operator-status',
  );
  const rebuilt = await waitFor(
    async () => {
      const view = await readHomeserver(stage, namespace);
      return view.status.database?.claim === status.database?.claim ? waitReady(stage, namespace) : undefined;
    },
    { what: 'the status to be rebuilt' },
  );
  expect(rebuilt.metadata.uid).toBe(metadata.uid);
  expect(rebuilt.status.signingKeys).toEqual(status.signingKeys);
  expect(rebuilt.status.schema).toEqual(status.schema);
});

test('deleted and applied again, the resource takes back the same database, key and secrets', async () => {
  const own = await stage.namespace();
  await applyHomeserver(stage, own);
  const first = await waitReady(stage, own);
  const name = first.status.database?.name ?? '';
  await stage.sql('create table public.proof (id int)', [], name);
  const secretsBefore = await secretValues(own);
  await stage.client.delete(KINDS.homeserver, { namespace: own, name: 'chat' });
  await collectGarbage(stage, own, first.metadata.uid, RETAINED);
  await stage.client.create(KINDS.homeserver, homeserverManifest(stage, own), 'user');
  const second = await waitReady(stage, own);
  expect(second.metadata.uid).not.toBe(first.metadata.uid);
  expect(second.status.database).toEqual(first.status.database);
  expect(second.status.signingKeys?.[0]?.publicKey).toBe(first.status.signingKeys?.[0]?.publicKey);
  expect(await secretValues(own)).toEqual(secretsBefore);
  expect(await stage.sql("select to_regclass('public.proof') is not null as kept", [], name)).toEqual([{ kept: true }]);
});

test('the same name with another server name does not get the kept database', async () => {
  const own = await stage.namespace();
  await applyHomeserver(stage, own);
  const first = await waitReady(stage, own);
  await stage.client.delete(KINDS.homeserver, { namespace: own, name: 'chat' });
  await collectGarbage(stage, own, first.metadata.uid, RETAINED);
  await stage.client.create(KINDS.homeserver, homeserverManifest(stage, own, { serverName: 'other.example' }), 'user');
  const view = await waitCondition(stage, own, { type: 'Stalled', status: 'True', reason: 'WrongServerName' });
  expect(view.status.conditions.find(({ type }) => type === 'Ready')?.message).toContain(`${own}.example`);
});

async function secretValues(own: string): Promise<unknown[]> {
  const names = RETAINED.map((key) => key.slice('Secret/'.length));
  return Promise.all(names.map(async (name) => (await readSecret(stage.client, { namespace: own, name }))?.values));
}
