import type { PodSpec } from '../api/pod-spec.ts';
import { ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** The pods' identity, for workload identity of clouds; it carries no rights and no token is mounted. */
export function serviceAccount(owner: Owner, pod: PodSpec | undefined): Manifest {
  const metadata = ownedMetadata(owner, childNames(owner.name).serviceAccount);
  const annotations = pod?.serviceAccountAnnotations;
  return {
    apiVersion: 'v1',
    kind: 'ServiceAccount',
    metadata: annotations === undefined ? metadata : { ...metadata, annotations },
    automountServiceAccountToken: false,
  };
}
