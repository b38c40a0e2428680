import { afterAll, beforeAll, expect, test } from 'vitest';
import * as z from 'zod';
import { KINDS } from '../../operator/reconcile/kinds.ts';
import type { Manifest, Resource } from '../../operator/runtime/kube-object.ts';
import { waitFor } from '../support/wait-for.ts';
import { installKind } from './support/foreign-kinds.ts';
import type { Stage } from './support/stage.ts';
import {
  applyHomeserver,
  collectGarbage,
  conditionOf,
  homeserverManifest,
  openStage,
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

const RETAINED = ['Secret/chat-app', 'Secret/chat-db', 'Secret/chat-key-k1', 'PersistentVolumeClaim/chat-media'];
const MEDIA = { persistentVolumeClaim: { size: '1Gi' } };

const read = (resource: Resource, namespace: string, name = 'chat') => stage.client.get(resource, { namespace, name });

function claimOf(namespace: string, name: string, serverName?: string): Manifest {
  const labels = { 'matrix-operator.dev/homeserver': 'chat' };
  const ours = { labels, annotations: { 'matrix-operator.dev/server-name': serverName } };
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: { namespace, name, ...(serverName === undefined ? {} : ours) },
    spec: { accessModes: ['ReadWriteOnce'], resources: { requests: { storage: '1Gi' } } },
  };
}

async function podTemplate(namespace: string): Promise<string> {
  const Template = z.looseObject({ spec: z.looseObject({ template: z.unknown() }) });
  return JSON.stringify(Template.parse(await read(KINDS.deployment, namespace)).spec.template);
}

test('the number of replicas that an autoscaler writes is what runs; without autoscaling its object goes', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { autoscaling: { minReplicas: 1, maxReplicas: 4 } });
  await waitReady(stage, namespace);
  expect(await read(KINDS.horizontalPodAutoscaler, namespace)).toMatchObject({
    spec: { scaleTargetRef: { kind: 'MatrixHomeserver', name: 'chat' }, minReplicas: 1, maxReplicas: 4 },
  });
  const current = await stage.client.get(KINDS.homeserver, { namespace, name: 'chat' });
  const spec = { ...z.looseObject({}).parse(current?.['spec']), replicas: 3 };
  await stage.client.replace(KINDS.homeserver, { ...(current ?? expect.fail('gone')), spec }, 'autoscaler');
  await waitFor(async () => (await waitReady(stage, namespace)).status.readyReplicas === 3, { what: '3 replicas' });
  await applyHomeserver(stage, namespace, { replicas: 1 });
  await waitReady(stage, namespace);
  expect(await read(KINDS.horizontalPodAutoscaler, namespace)).toBeUndefined();
});

test('a volume for media is made, mounted, kept when the resource goes, and taken back', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { media: MEDIA });
  const { metadata } = await waitReady(stage, namespace);
  const claim = await read(KINDS.persistentVolumeClaim, namespace, 'chat-media');
  expect(claim?.metadata.ownerReferences).toBeUndefined();
  expect(await podTemplate(namespace)).toContain('"claimName":"chat-media"');
  const { items } = await stage.client.list(KINDS.configMap, { namespace });
  expect(JSON.stringify(items)).toContain('/var/lib/homeserver/media');

  await stage.client.delete(KINDS.homeserver, { namespace, name: 'chat' });
  await collectGarbage(stage, namespace, metadata.uid, RETAINED);
  await stage.client.create(KINDS.homeserver, homeserverManifest(stage, namespace, { media: MEDIA }), 'user');
  await waitReady(stage, namespace);
  expect((await read(KINDS.persistentVolumeClaim, namespace, 'chat-media'))?.metadata.uid).toBe(claim?.metadata.uid);
});

test('a volume that was kept for another server name is not used', async () => {
  const namespace = await stage.namespace();
  await stage.client.create(KINDS.persistentVolumeClaim, claimOf(namespace, 'chat-media', 'other.example'), 'user');
  await applyHomeserver(stage, namespace, { media: MEDIA });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'WrongServerName' });
  expect(conditionOf(view, 'WorkloadReady')?.message).toContain('holds files of the server other.example');
  expect(await read(KINDS.deployment, namespace)).toBeUndefined();
});

test('a claim that is named and missing is said, and used once it is there', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { media: { persistentVolumeClaim: { existingClaimName: 'theirs' } } });
  await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'VolumeMissing' });
  await stage.client.create(KINDS.persistentVolumeClaim, claimOf(namespace, 'theirs'), 'user');
  const replicas = 0;
  await applyHomeserver(stage, namespace, {
    replicas,
    media: { persistentVolumeClaim: { existingClaimName: 'theirs' } },
  });
  await waitReady(stage, namespace);
  expect(await podTemplate(namespace)).toContain('"claimName":"theirs"');
});

test('files in a bucket: any number of replicas, a missing key of the Secret is said, and another value rolls nothing', async () => {
  const namespace = await stage.namespace();
  const name = { namespace, name: 'media-s3' };
  const media = { s3: { bucket: 'files', credentialsSecretRef: { name: 'media-s3' } } };
  await writeSecret(stage.client, name, { accessKeyId: 'one' });
  await applyHomeserver(stage, namespace, { replicas: 2, media });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  expect(conditionOf(view, 'SecretsReady')?.message).toContain(`${namespace}/media-s3 lacks secretAccessKey`);
  await writeSecret(stage.client, name, { accessKeyId: 'one', secretAccessKey: 'first' });
  await waitReady(stage, namespace);
  const before = await podTemplate(namespace);
  expect(before).toContain('"mountPath":"/etc/homeserver/media/s3"');
  const { items } = await stage.client.list(KINDS.configMap, { namespace });
  expect(JSON.stringify(items)).toContain('/etc/homeserver/media/s3');
  await writeSecret(stage.client, name, { accessKeyId: 'two', secretAccessKey: '' });
  await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  await writeSecret(stage.client, name, { accessKeyId: 'two', secretAccessKey: 'second' });
  await waitReady(stage, namespace);
  expect(await podTemplate(namespace)).toBe(before);
  expect(await read(KINDS.persistentVolumeClaim, namespace, 'chat-media')).toBeUndefined();
});

test('a missing Secret of the configuration is said by its name; it is mounted, and a change of it rolls the pods', async () => {
  const namespace = await stage.namespace();
  const name = { namespace, name: 'smtp' };
  await applyHomeserver(stage, namespace, { configSecretRefs: [{ name: 'smtp' }] });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  expect(conditionOf(view, 'SecretsReady')?.message).toContain(`${namespace}/smtp is missing: create it`);
  await writeSecret(stage.client, name, { password: 'one' });
  await waitReady(stage, namespace);
  const before = await podTemplate(namespace);
  expect(before).toContain('/etc/homeserver/extra/smtp');
  await writeSecret(stage.client, name, { password: 'two' });
  await waitFor(async () => (await podTemplate(namespace)) !== before, { what: 'the pods to roll' });
  await waitReady(stage, namespace);
});

test('application secrets of the user replace the generated ones', async () => {
  const namespace = await stage.namespace();
  await writeSecret(stage.client, { namespace, name: 'ours' }, { 'registration-secret': 'a', 'token-key': 'b' });
  await applyHomeserver(stage, namespace, { secretsRef: { name: 'ours' } });
  const view = await waitCondition(stage, namespace, { type: 'Stalled', status: 'True', reason: 'SecretMissing' });
  expect(conditionOf(view, 'SecretsReady')?.message).toContain('lacks form-key');
  const whole = { 'registration-secret': 'a', 'token-key': 'b', 'form-key': 'c' };
  await writeSecret(stage.client, { namespace, name: 'ours' }, whole);
  await waitReady(stage, namespace);
  expect(await podTemplate(namespace)).toContain('"secretName":"ours"');
  expect(await read(KINDS.secret, namespace, 'chat-app')).toBeUndefined();
});

test('a NetworkPolicy that is deleted or opened comes back, and Off removes it', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace);
  await waitReady(stage, namespace);
  await stage.client.delete(KINDS.networkPolicy, { namespace, name: 'chat' });
  const policy = await waitFor(() => read(KINDS.networkPolicy, namespace), { what: 'the policy to come back' });
  const spec = z.looseObject({ egress: z.array(z.unknown()) }).parse(policy['spec']);
  await stage.client.replace(KINDS.networkPolicy, { ...policy, spec: { ...spec, egress: [{}] } }, 'somebody');
  await waitFor(async () => !JSON.stringify(await read(KINDS.networkPolicy, namespace)).includes('"egress":[{}]'), {
    what: 'the policy to be closed',
  });
  await applyHomeserver(stage, namespace, { networkPolicy: { mode: 'Off' } });
  await waitReady(stage, namespace);
  expect(await read(KINDS.networkPolicy, namespace)).toBeUndefined();
});

test('a ServiceMonitor is made as soon as the Prometheus operator is there; without it nothing is amiss', async () => {
  const namespace = await stage.namespace();
  await applyHomeserver(stage, namespace, { monitoring: { labels: { release: 'prometheus' } } });
  await waitReady(stage, namespace);
  await installKind(stage.client, KINDS.serviceMonitor);
  const monitor = await waitFor(() => read(KINDS.serviceMonitor, namespace), { what: 'the ServiceMonitor' });
  expect(monitor.metadata.labels).toMatchObject({ release: 'prometheus' });
  await applyHomeserver(stage, namespace, { monitoring: { mode: 'Off' } });
  await waitReady(stage, namespace);
  await waitFor(async () => (await read(KINDS.serviceMonitor, namespace)) === undefined, { what: 'it to go' });
});
