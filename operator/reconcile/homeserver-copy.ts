import type { BackupSpec } from '../api/backup-spec.ts';
import { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import type { KubeObject } from '../runtime/kube-object.ts';
import { objectKey } from '../runtime/kube-object.ts';

/** A resource in the cache: parsed, or the paths that do not parse (a CRD that is newer or older than this program). */
export interface HomeserverCopy {
  readonly key: string;
  readonly resource: MatrixHomeserver | undefined;
  readonly fault: string;
}

export function homeserverCopy(object: KubeObject): HomeserverCopy {
  const key = objectKey(object.metadata);
  const parsed = MatrixHomeserver.safeParse(object);
  if (parsed.success) return { key, resource: parsed.data, fault: '' };
  const paths = parsed.error.issues.slice(0, 5).map(({ path }) => path.map(String).join('.'));
  return { key, resource: undefined, fault: `unreadable: ${paths.join(', ')}` };
}

/** Names of the Secrets of users that a resource refers to. */
export function referencedSecrets({ spec }: MatrixHomeserver): string[] {
  const { database, secretsRef, configSecretRefs = [], integrations, backup, bootstrap } = spec;
  const names = [
    database.server?.adminSecretRef.name,
    database.existing?.secretRef.name,
    database.tls.caSecretRef?.name,
    ...spec.signingKeys.keys.map(({ secretRef }) => secretRef?.name),
    secretsRef?.name,
    integrations?.turn?.external.secretRef.name,
    ...configSecretRefs.map(({ name }) => name),
    ...storeSecrets(backup),
    ...storeSecrets(bootstrap?.restore),
  ];
  return names.filter((name) => name !== undefined);
}

function storeSecrets(store: Pick<BackupSpec, 's3' | 'encryptionSecretRef'> | undefined): (string | undefined)[] {
  return [store?.s3.credentialsSecretRef?.name, store?.encryptionSecretRef?.name];
}
