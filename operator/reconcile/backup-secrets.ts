import { MIN_ENCRYPTION_KEY } from '../../homeserver/contract/backup-key.ts';
import type { BackupSpec, RestoreSource } from '../api/backup-spec.ts';
import { OperatorError } from '../errors.ts';
import { checkS3Credentials, readKeys } from './resolve-references.ts';
import type { StepContext } from './step.ts';

/**
 * Reads the Secrets that a pod of a backup or restore mounts: it would wait for a missing one without a word. Gives back the text
 * of the encryption key. Errors: SecretMissing, KubeError.
 */
export async function checkBackupSecrets(
  ctx: StepContext,
  { s3, encryptionSecretRef }: Pick<BackupSpec | RestoreSource, 's3' | 'encryptionSecretRef'>,
): Promise<string | undefined> {
  await checkS3Credentials(ctx, s3);
  if (encryptionSecretRef === undefined) return undefined;
  const { name, key } = encryptionSecretRef;
  const text = (await readKeys(ctx, name, [key]))[key]?.trim() ?? '';
  if (text.length >= MIN_ENCRYPTION_KEY) return text;
  const where = `Secret ${ctx.owner.namespace}/${name}: ${key}`;
  throw new OperatorError(
    'SecretMissing',
    `${where} has fewer than ${MIN_ENCRYPTION_KEY} characters; make one with openssl rand -base64 32`,
  );
}
