import { MatrixHomeserver } from '../api/matrix-homeserver.ts';
import type { TurnSpec } from '../api/turn-spec.ts';
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
  const { database, secretsRef, configSecretRefs = [], integrations } = spec;
  const names = [
    database.server?.adminSecretRef.name,
    database.existing?.secretRef.name,
    database.tls.caSecretRef?.name,
    ...spec.signingKeys.keys.map(({ secretRef }) => secretRef?.name),
    secretsRef?.name,
    ...turnSecrets(integrations?.turn),
    ...configSecretRefs.map(({ name }) => name),
    ...storeSecrets(spec),
  ];
  return names.filter((name) => name !== undefined);
}

function turnSecrets(turn: TurnSpec | undefined): (string | undefined)[] {
  return [turn?.external?.secretRef.name, turn?.managed?.tlsSecretName];
}

function storeSecrets({ media, backup, bootstrap }: MatrixHomeserver['spec']): (string | undefined)[] {
  const { restore } = bootstrap ?? {};
  const buckets = [media?.s3, backup?.s3, restore?.s3].map((s3) => s3?.credentialsSecretRef?.name);
  return [...buckets, backup?.encryptionSecretRef?.name, restore?.encryptionSecretRef?.name];
}
