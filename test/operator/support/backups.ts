import * as z from 'zod';
import { KINDS } from '../../../operator/reconcile/kinds.ts';
import type { S3Server } from '../../support/s3-server.ts';
import type { Stage } from './stage.ts';
import { writeSecret } from './stage.ts';

/** Where backups go, for `spec.backup` and `spec.bootstrap.restore`; encrypted. */
export function backupStore({ bucket, region, endpoint }: S3Server) {
  return {
    s3: { bucket, region, endpoint, forcePathStyle: true, credentialsSecretRef: { name: 'backup-s3' } },
    encryptionSecretRef: { name: 'backup-key', key: 'key' },
  };
}

/** The Secrets that `backupStore` names; `more` replaces what is in them. */
export async function writeBackupSecrets(
  { client }: Pick<Stage, 'client'>,
  { accessKeyId, secretAccessKey }: S3Server,
  namespace: string,
  more: { secretAccessKey?: string; key?: string } = {},
): Promise<void> {
  const { key = 'a text to encrypt with, of 32 characters' } = more;
  const access = { accessKeyId, secretAccessKey: more.secretAccessKey ?? secretAccessKey };
  await writeSecret(client, { namespace, name: 'backup-s3' }, access);
  await writeSecret(client, { namespace, name: 'backup-key' }, { key });
}

const CronJob = z.looseObject({
  spec: z.looseObject({ jobTemplate: z.looseObject({ metadata: z.looseObject({}), spec: z.looseObject({}) }) }),
});

/** As `kubectl create job NAME --from=cronjob/chat-<of>`. */
export async function startScheduled(
  { client }: Pick<Stage, 'client'>,
  namespace: string,
  of: 'backup' | 'drill',
  name: string,
): Promise<void> {
  const found = await client.get(KINDS.cronJob, { namespace, name: `chat-${of}` });
  const { metadata, spec } = CronJob.parse(found).spec.jobTemplate;
  const manifest = { apiVersion: 'batch/v1', kind: 'Job', metadata: { ...metadata, name, namespace }, spec };
  await client.create(KINDS.job, manifest, 'test');
}
