import { ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** The configuration file; immutable and named by its hash, so a rollback of the pods finds the file they had. */
export function configMap(owner: Owner, text: string, hash: string): Manifest {
  return {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: ownedMetadata(owner, childNames(owner.name).config(hash)),
    immutable: true,
    data: { 'homeserver.yaml': text },
  };
}
