import { expect, test } from 'vitest';
import { AutoscalingSpec } from '../api/autoscaling-spec.ts';
import { MediaSpec } from '../api/media-spec.ts';
import { MonitoringSpec } from '../api/network-spec.ts';
import { deployment } from './deployment.ts';
import { horizontalPodAutoscaler } from './horizontal-pod-autoscaler.ts';
import { mediaClaim, mediaClaimName } from './media-claim.ts';
import { serviceMonitor } from './service-monitor.ts';

const owner = { name: 'chat', namespace: 'ns', uid: 'uid' };
const media = (persistentVolumeClaim: object) => MediaSpec.parse({ persistentVolumeClaim });

function pods(more: object) {
  return deployment({
    owner,
    replicas: 1,
    image: { reference: 'image:1', pullPolicy: 'IfNotPresent', pullSecrets: [] },
    files: {
      configMap: 'c',
      databaseSecret: 'd',
      appSecret: 'a',
      keyringSecret: 'k',
      extraSecrets: ['smtp', 'oidc.example'],
      mediaClaim: 'chat-media',
    },
    pod: undefined,
    version: '1.0.0',
    minReadySeconds: 0,
    deadlineSeconds: 600,
    secretsChecksum: 'sum',
    keyringRestart: 0,
    ...more,
  });
}

test('the autoscaler writes the number of replicas of the resource, not of its Deployment', () => {
  const manifest = horizontalPodAutoscaler(owner, AutoscalingSpec.parse({ maxReplicas: 5 }));
  expect(manifest?.['spec']).toMatchObject({
    scaleTargetRef: { apiVersion: 'matrix-operator.dev/v1alpha1', kind: 'MatrixHomeserver', name: 'chat' },
    minReplicas: 2,
    maxReplicas: 5,
  });
  expect(horizontalPodAutoscaler(owner, undefined)).toBeUndefined();
});

test('the claim for media has no owner, is labelled as kept, and its size is canonical', () => {
  const manifest = mediaClaim(owner, 'example.org', media({ size: '2048Mi', storageClassName: 'fast' }));
  expect(manifest?.metadata).toMatchObject({
    name: 'chat-media',
    labels: { 'matrix-operator.dev/retained': 'true' },
    annotations: { 'matrix-operator.dev/server-name': 'example.org' },
  });
  expect(manifest?.metadata).not.toHaveProperty('ownerReferences');
  expect(manifest?.['spec']).toEqual({
    accessModes: ['ReadWriteOnce'],
    resources: { requests: { storage: '2Gi' } },
    storageClassName: 'fast',
  });
});

test("somebody else's claim is mounted and none is made", () => {
  const given = media({ existingClaimName: 'theirs' });
  expect(mediaClaim(owner, 'example.org', given)).toBeUndefined();
  expect(mediaClaimName(owner, given)).toBe('theirs');
  expect(mediaClaimName(owner, undefined)).toBeUndefined();
});

test('with a bucket there is no claim, and its credentials are mounted whole, where the configuration says', () => {
  const s3 = MediaSpec.parse({ s3: { bucket: 'files' } });
  expect(mediaClaim(owner, 'example.org', s3)).toBeUndefined();
  expect(mediaClaimName(owner, s3)).toBeUndefined();
  const files = {
    configMap: 'c',
    databaseSecret: 'd',
    appSecret: 'a',
    keyringSecret: 'k',
    mediaCredentials: 'media-s3',
  };
  const text = JSON.stringify(pods({ files }));
  expect(text).toContain('{"name":"media-s3","secret":{"secretName":"media-s3"}}');
  expect(text).toContain('{"name":"media-s3","mountPath":"/etc/homeserver/media/s3","readOnly":true}');
  expect(text).not.toContain('fsGroup');
});

test('pods mount media and the Secrets of the configuration where its paths say', () => {
  const text = JSON.stringify(pods({}));
  expect(text).toContain('{"name":"extra-1","mountPath":"/etc/homeserver/extra/oidc.example","readOnly":true}');
  expect(text).toContain('{"name":"extra-0","secret":{"secretName":"smtp"}}');
  expect(text).toContain('{"name":"media","persistentVolumeClaim":{"claimName":"chat-media"}}');
  expect(text).toContain('{"name":"media","mountPath":"/var/lib/homeserver/media"}');
});

const GROUPS = [
  { name: 'the volume belongs to the group of the image', more: {}, has: true },
  { name: 'where the platform chooses the group, none is asked for', more: { groupIsGiven: true }, has: false },
];

test.for(GROUPS)('$name', ({ more, has }) => {
  expect(JSON.stringify(pods(more)).includes('"fsGroup":10001')).toBe(has);
});

const STRATEGIES = [
  { name: 'a volume of one node is let go before the new pod starts', mediaAccess: 'ReadWriteOnce', surge: 0 },
  { name: 'with a volume of all nodes the new pod starts first', mediaAccess: 'ReadWriteMany', surge: 1 },
];

test.for(STRATEGIES)('$name', ({ mediaAccess, surge }) => {
  const rollingUpdate = { maxSurge: surge, maxUnavailable: 1 - surge };
  expect(pods({ mediaAccess })['spec']).toMatchObject({ strategy: { rollingUpdate } });
});

test('labels of the spec help a Prometheus to select the ServiceMonitor and never replace ours', () => {
  const labels = { release: 'prometheus', 'matrix-operator.dev/homeserver': 'other' };
  const manifest = serviceMonitor(owner, MonitoringSpec.parse({ labels }));
  expect(manifest?.metadata['labels']).toMatchObject({
    release: 'prometheus',
    'matrix-operator.dev/homeserver': 'chat',
  });
  expect(serviceMonitor(owner, MonitoringSpec.parse({ mode: 'Off' }))).toBeUndefined();
});
