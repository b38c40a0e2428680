import { expect, test } from 'vitest';
import * as z from 'zod';
import { BackupSpec } from '../api/backup-spec.ts';
import { backupCronJob, backupJob } from './backup-job.ts';
import { restoreJob } from './restore-job.ts';

const s3 = { bucket: 'bucket', credentialsSecretRef: { name: 's3-access' } };
const backup = BackupSpec.parse({ schedule: '@daily', s3, encryptionSecretRef: { name: 'backup-key', key: 'text' } });
const input = {
  owner: { name: 'chat', namespace: 'n', uid: 'u' },
  backup,
  image: { reference: 'image:1', pullPolicy: 'IfNotPresent', pullSecrets: [] },
  files: { configMap: 'c', databaseSecret: 'chat-db', appSecret: 'chat-app', keyringSecret: 'chat-keyring' },
  pod: undefined,
};

const Container = z.looseObject({
  args: z.array(z.string()),
  volumeMounts: z.array(z.looseObject({ name: z.string() })),
});
const JobSpec = z.looseObject({
  template: z.looseObject({
    spec: z.looseObject({ containers: z.array(Container), volumes: z.array(z.looseObject({ name: z.string() })) }),
  }),
});
const podOf = (spec: unknown) => JobSpec.parse(spec).template.spec;

const before = { plan: '0123456789ab', inputsDigest: 'd' };

test('before an upgrade the same is backed up as by schedule, and read back', () => {
  const job = backupJob({ ...input, ...before });
  const { spec } = z
    .looseObject({ spec: z.looseObject({ jobTemplate: z.looseObject({ spec: z.unknown() }) }) })
    .parse(backupCronJob(input));
  expect(job.metadata.name).toBe('chat-backup-0123456789ab');
  const [own, scheduled] = [podOf(job['spec']), podOf(spec.jobTemplate.spec)];
  const args = scheduled.containers[0]?.args ?? [];
  expect(own.containers[0]?.args).toEqual([...args, '--read-back', '--upgrade-plan', '0123456789ab']);
  expect({ ...own, containers: [{ ...own.containers[0], args }] }).toEqual(scheduled);
});

test('secrets are mounted and named by path; a pod identity needs none', () => {
  const pod = podOf(backupJob({ ...input, ...before })['spec']);
  expect(pod.containers[0]?.args.join(' ')).toBe(
    '/app/homeserver.mjs backup --s3-bucket bucket --s3-region us-east-1 --s3-credentials /etc/homeserver/backup/s3 ' +
      '--encryption-key-file /etc/homeserver/backup/encryption/key --keep-last 14 --read-back --upgrade-plan 0123456789ab',
  );
  expect(pod.volumes.map(({ name }) => name)).toEqual(expect.arrayContaining(['backup-s3', 'backup-key', 'keyring']));
  const plain = { ...backup, s3: { ...backup.s3, credentialsSecretRef: undefined }, encryptionSecretRef: undefined };
  const without = podOf(backupJob({ ...input, ...before, backup: plain })['spec']);
  expect(without.volumes.map(({ name }) => name)).not.toContain('backup-s3');
});

test('a restore needs nothing that is made only after it', () => {
  const source = { ...backup, backupID: 'latest' };
  const pod = podOf(restoreJob({ ...input, source, inputsDigest: 'd' })['spec']);
  const names = pod.volumes.map(({ name }) => name);
  expect(names).toEqual(['config', 'db', 'tmp', 'backup-s3', 'backup-key']);
  expect(pod.containers[0]?.volumeMounts.map(({ name }) => name)).toEqual(names);
});
