import { BACKUP_KEY_FILE, MOUNTS } from '../../homeserver/contract/layout.ts';
import type { BackupSpec, RestoreSource } from '../api/backup-spec.ts';
import type { S3Location } from '../api/s3-location.ts';

/** How a pod reaches a backup store: words for the command line, and what they name. Nothing secret stands in the words. */
export interface StoreAccess {
  readonly args: readonly string[];
  readonly volumes: readonly object[];
  readonly mounts: readonly object[];
}

export function storeAccess({
  s3,
  encryptionSecretRef,
}: Pick<BackupSpec | RestoreSource, 's3' | 'encryptionSecretRef'>): StoreAccess {
  const args = locationArgs(s3);
  const volumes: object[] = [];
  const mounts: object[] = [];
  if (s3.credentialsSecretRef !== undefined) {
    args.push('--s3-credentials', MOUNTS.backupCredentials);
    volumes.push({ name: 'backup-s3', secret: { secretName: s3.credentialsSecretRef.name } });
    mounts.push({ name: 'backup-s3', mountPath: MOUNTS.backupCredentials, readOnly: true });
  }
  if (encryptionSecretRef !== undefined) {
    const { name: secretName, key } = encryptionSecretRef;
    args.push('--encryption-key-file', `${MOUNTS.backupKey}/${BACKUP_KEY_FILE}`);
    volumes.push({ name: 'backup-key', secret: { secretName, items: [{ key, path: BACKUP_KEY_FILE }] } });
    mounts.push({ name: 'backup-key', mountPath: MOUNTS.backupKey, readOnly: true });
  }
  return { args, volumes, mounts };
}

function locationArgs({ bucket, region, endpoint, prefix, forcePathStyle }: S3Location): string[] {
  return [
    ...['--s3-bucket', bucket, '--s3-region', region],
    ...(endpoint === undefined ? [] : ['--s3-endpoint', endpoint]),
    ...(prefix === undefined ? [] : ['--s3-prefix', prefix]),
    ...(forcePathStyle ? ['--s3-path-style'] : []),
  ];
}
