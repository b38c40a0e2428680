import { expect, test } from 'vitest';
import * as z from 'zod';
import { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import { BackupSpec } from '../api/backup-spec.ts';
import { backupCronJob } from '../resources/backup-job.ts';
import { deployment } from '../resources/deployment.ts';
import { podSelector } from '../resources/labels.ts';
import { jobFromCronJob, verifyJob } from './job-manifests.ts';

const now = Date.parse('2026-11-21T14:20:00Z');
const name = 'a'.repeat(40);
const owner = { name, namespace: 'ns', uid: 'uid' };
const image = { reference: 'image:1', pullPolicy: 'Never', pullSecrets: ['pull'] };
const files = {
  configMap: 'chat-config-1',
  databaseSecret: 'chat-db',
  appSecret: 'chat-app',
  keyringSecret: 'chat-keyring',
  mediaClaim: 'chat-media',
  extraSecrets: ['smtp'],
};
const homeserver = MatrixHomeserver.parse({
  metadata: { name, namespace: 'ns', uid: 'uid', resourceVersion: '1' },
  spec: { serverName: 'example.org', database: { server: { host: 'pg', adminSecretRef: { name: 'a' } } } },
  status: {},
});
const serving = deployment({
  owner,
  replicas: 3,
  image,
  files,
  pod: { nodeSelector: { disk: 'ssd' } },
  version: '1.0.0',
  keyringRestart: 0,
  minReadySeconds: 0,
  deadlineSeconds: 600,
  secretsChecksum: 'sum',
});
const stored = (manifest: { metadata: { name: string } }) => ({
  ...manifest,
  metadata: { ...manifest.metadata, uid: 'u2', resourceVersion: '7' },
});

const Names = z.array(z.looseObject({ name: z.string() }));
const Job = z.looseObject({
  metadata: z.looseObject({ name: z.string().max(63) }),
  spec: z.looseObject({
    template: z.looseObject({
      metadata: z.looseObject({ labels: z.record(z.string(), z.string()) }),
      spec: z.looseObject({
        containers: z.array(z.looseObject({ args: z.array(z.string()), volumeMounts: Names })),
        volumes: Names,
      }),
    }),
  }),
});

test('a verify Job is a serving pod with another command: same image, files, place and restrictions, no media, no traffic', () => {
  const job = Job.parse(verifyJob(homeserver, stored(serving), { sample: 10, timeLimitSeconds: 60, now }));
  const { metadata, spec } = job.spec.template;
  expect(metadata.labels).not.toMatchObject(podSelector(name));
  expect(spec).toMatchObject({
    restartPolicy: 'Never',
    automountServiceAccountToken: false,
    nodeSelector: { disk: 'ssd' },
    imagePullSecrets: [{ name: 'pull' }],
    securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
  });
  const [container] = spec.containers;
  expect(container).toMatchObject({
    image: 'image:1',
    imagePullPolicy: 'Never',
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] }, readOnlyRootFilesystem: true },
  });
  expect(container?.args).toEqual([
    '/app/homeserver.mjs',
    'verify',
    '--json',
    '--sample',
    '10',
    '--time-limit-seconds',
    '60',
  ]);
  const volumes = ['config', 'db', 'tmp', 'app', 'keyring'];
  expect(spec.volumes.map((volume) => volume.name)).toEqual(volumes);
  expect(container?.volumeMounts.map((mount) => mount.name)).toEqual(volumes);
});

test('a backup now is the Job that the schedule would make, under the CronJob', () => {
  const backup = BackupSpec.parse({ schedule: '@daily', s3: { bucket: 'backups', region: 'eu' } });
  const cronJob = backupCronJob({ owner, backup, image, files, pod: undefined });
  const job = jobFromCronJob(stored(cronJob), now);
  expect(Job.parse(job).metadata).toMatchObject({
    name: `${name}-backup-now-1795270800`,
    namespace: 'ns',
    annotations: { 'cronjob.kubernetes.io/instantiate': 'manual' },
    labels: { 'app.kubernetes.io/component': 'backup' },
    ownerReferences: [{ kind: 'CronJob', uid: 'u2', controller: true }],
  });
  expect(job['spec']).toEqual(
    z.looseObject({ spec: z.looseObject({ jobTemplate: z.looseObject({ spec: z.unknown() }) }) }).parse(cronJob).spec
      .jobTemplate.spec,
  );
});
