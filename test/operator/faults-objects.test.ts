import { randomUUID } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { KeyringFile } from '../../homeserver/contract/keyring-file.ts';
import { KINDS, OWNED_KINDS } from '../../operator/reconcile/kinds.ts';
import { readSecret } from '../../operator/reconcile/secret-data.ts';
import type { KubeObject, Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import { endState } from './support/compare.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  conditionOf,
  listChildren,
  openStage,
  readHomeserver,
  waitCondition,
  waitReady,
  writeSecret,
} from './support/stage.ts';

/** As many kinds of children as a resource can have without other projects. */
const RICH = {
  replicas: 2,
  autoscaling: { minReplicas: 2, maxReplicas: 5 },
  media: { persistentVolumeClaim: { size: '1Gi', accessMode: 'ReadWriteMany' } },
  exposure: { ingress: { className: 'public' } },
  backup: { schedule: '15 2 * * *', s3: { bucket: 'backups', endpoint: 'https://s3.example.net' } },
};

let stage: Stage;
let namespace: string;
/** Another homeserver, whose keys must never end up in ours. */
let other: string;
let whole: string;
let identity: Awaited<ReturnType<typeof readIdentity>>;

beforeAll(async () => {
  stage = await openStage();
  stage.actors.behaviour.servesRoutes = true;
  await stage.startOperator();
  [namespace, other] = [await stage.namespace(), await stage.namespace()];
  await applyHomeserver(stage, namespace, RICH);
  await applyHomeserver(stage, other);
  await waitReady(stage, other);
  await waitReady(stage, namespace);
  whole = await endState(stage, namespace);
  identity = await readIdentity();
});
afterAll(() => stage.dispose());

/** What must survive everything: the database's owner and the keys, private halves included. */
async function readIdentity() {
  const { status } = await readHomeserver(stage, namespace);
  const name = status.database?.name ?? '';
  return {
    keys: (await keyring(namespace)).keys,
    secret: (await readSecret(stage.client, { namespace, name: 'chat-key-k1' }))?.values,
    owner: await stage.sql('select claim from matrix_operator.owner', [], name),
    ledger: await stage.sql('select name, key_id, public_key, state from matrix_operator.signing_key', [], name),
  };
}

async function keyring(of: string) {
  const secret = await readSecret(stage.client, { namespace: of, name: 'chat-keyring' });
  return KeyringFile.parse(JSON.parse(secret?.values['keyring.json'] ?? '{}'));
}

/** Everything is as it was before the harm. */
async function expectWhole(): Promise<void> {
  await waitFor(async () => (await endState(stage, namespace)) === whole, {
    what: 'the old state',
  }).catch(
    // Says what differs.
    async () => expect(await endState(stage, namespace)).toBe(whole),
  );
  expect(await readIdentity()).toEqual(identity);
}

const KIND_BY_NAME = new Map<string, Resource>(
  [...Object.values(OWNED_KINDS), KINDS.configMap, KINDS.secret].map((kind) => [kind.kind, kind]),
);

interface Child {
  readonly resource: Resource;
  readonly name: string;
}

async function children(): Promise<Child[]> {
  return [...(await listChildren(stage, namespace)).keys()].map((key) => {
    const [kind = '', name = ''] = key.split('/');
    return { resource: KIND_BY_NAME.get(kind) ?? expect.fail(kind), name };
  });
}

/** Where more than the labels can be spoilt. */
const EDITS: Readonly<Record<string, object>> = {
  Service: { spec: { selector: { nobody: 'here' } } },
  NetworkPolicy: { spec: { podSelector: { matchLabels: { nobody: 'here' } }, ingress: [{}] } },
  PodDisruptionBudget: { spec: { selector: { matchLabels: { nobody: 'here' } } } },
  HorizontalPodAutoscaler: { spec: { maxReplicas: 50 } },
  CronJob: { spec: { schedule: '* * * * *' } },
  Ingress: { spec: { ingressClassName: 'internal' } },
  ServiceAccount: { automountServiceAccountToken: true },
  Deployment: { spec: { replicas: 7, revisionHistoryLimit: 1 } },
};

test('every child edited at once is put back as it was', async () => {
  const found = await children();
  // ConfigMaps cannot be edited, and a Job that has done its work is only looked at.
  const isApplied = ({ resource }: Child) => !['Secret', 'ConfigMap', 'Job'].includes(resource.kind);
  const owned = found.filter(isApplied);
  expect(new Set(owned.map(({ resource }) => resource.kind)).size).toBe(9);
  for (const { resource, name } of owned) {
    const { apiVersion, kind } = resource;
    const metadata = { namespace, name, labels: { 'app.kubernetes.io/managed-by': 'somebody' } };
    await stage.client.apply(resource, { apiVersion, kind, metadata, ...EDITS[kind] }, 'somebody');
  }
  await expectWhole();
  await waitReady(stage, namespace);
});

test('every child but one key deleted at once comes back; database and keys are the same', async () => {
  // The Job has done its work, and a claim in use is kept by Kubernetes itself.
  const stays = ['Job/', 'PersistentVolumeClaim/', 'Secret/chat-key-k1'];
  const doomed = (await children()).filter(
    ({ resource, name }) => !stays.some((one) => `${resource.kind}/${name}`.startsWith(one)),
  );
  expect(doomed.length).toBeGreaterThan(10);
  await Promise.all(doomed.map(({ resource, name }) => stage.client.delete(resource, { namespace, name })));
  await waitFor(async () => (await listChildren(stage, namespace)).size >= doomed.length + 3, { what: 'all children' });
  await waitReady(stage, namespace);
  await expectWhole();
});

async function replaceSecret(name: string, change: (values: KubeObject) => object): Promise<void> {
  const found = (await stage.client.get(KINDS.secret, { namespace, name })) ?? expect.fail(`no ${name}`);
  await stage.client.replace(KINDS.secret, { ...found, ...change(found) }, 'somebody');
}

test.for([
  { name: 'emptied', text: () => Promise.resolve('{}') },
  { name: 'no JSON', text: () => Promise.resolve('keys') },
  { name: 'that of another server', text: async () => JSON.stringify(await keyring(other)) },
])('a keyring that somebody made $name is rebuilt with the same keys', async ({ text }) => {
  const stringData = { 'keyring.json': await text() };
  await replaceSecret('chat-keyring', () => ({ stringData }));
  await waitFor(async () => (await keyring(namespace)).keys.length > 0, { what: 'a keyring' });
  await waitFor(async () => JSON.stringify(await readIdentity()) === JSON.stringify(identity), {
    what: 'the same keys',
  });
  await waitReady(stage, namespace);
});

test('a key Secret with the key of another server is KeyMismatch and never used; without it the old one comes back', async () => {
  const theirs = await stage.client.get(KINDS.secret, { namespace: other, name: 'chat-key-k1' });
  const ours = (await stage.client.get(KINDS.secret, { namespace, name: 'chat-key-k1' })) ?? expect.fail('no key');
  const { labels, annotations = {} } = ours.metadata;
  await applyHomeserver(stage, namespace, { ...RICH, paused: true });
  await waitCondition(stage, namespace, { type: 'Paused', status: 'True' });
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-key-k1' });
  const metadata = { namespace, name: 'chat-key-k1', labels, annotations };
  const manifest = { apiVersion: 'v1', kind: 'Secret', immutable: true, data: theirs?.['data'] };
  await stage.client.create(KINDS.secret, { ...manifest, metadata: { ...metadata, labels: labels ?? {} } }, 'somebody');
  await applyHomeserver(stage, namespace, RICH);
  const view = await waitCondition(stage, namespace, {
    type: 'SigningKeysReady',
    status: 'False',
    reason: 'KeyMismatch',
  });
  expect(conditionOf(view, 'Available')?.status).toBe('True');
  expect((await keyring(namespace)).keys).toEqual(identity.keys);
  await stage.client.delete(KINDS.secret, { namespace, name: 'chat-key-k1' });
  await waitReady(stage, namespace);
  await expectWhole();
});

test('an edited claim is DatabaseConflict and touches nothing; put back, it is enough', async () => {
  const claim = (await readSecret(stage.client, { namespace, name: 'chat-db' }))?.values['claim'] ?? expect.fail();
  await replaceSecret('chat-db', () => ({ stringData: { claim: randomUUID() } }));
  const view = await waitCondition(stage, namespace, {
    type: 'DatabaseReady',
    status: 'False',
    reason: 'DatabaseConflict',
  });
  expect(conditionOf(view, 'Available')?.status).toBe('True');
  await replaceSecret('chat-db', () => ({ stringData: { claim } }));
  await waitReady(stage, namespace);
  await expectWhole();
});

test("a user's Secret that is deleted is SecretMissing with pods untouched; made again, it is enough", async () => {
  const { username, password } = stage.postgres;
  await stage.client.delete(KINDS.secret, { namespace, name: 'pg-admin' });
  const view = await waitCondition(stage, namespace, {
    type: 'SecretsReady',
    status: 'False',
    reason: 'SecretMissing',
  });
  expect(conditionOf(view, 'Available')?.status).toBe('True');
  await writeSecret(stage.client, { namespace, name: 'pg-admin' }, { username, password });
  await waitReady(stage, namespace);
  await expectWhole();
});
