import type { MediaSpec } from '../api/media-spec.ts';
import { canonicalQuantity } from './canonical-quantity.ts';
import { retainedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

const DEFAULT_SIZE = '10Gi';

/** The volume for uploaded files; it has no owner, so it stays. undefined where the spec names none or another's. */
export function mediaClaim(owner: Owner, serverName: string, media: MediaSpec | undefined): Manifest | undefined {
  const wanted = media?.persistentVolumeClaim;
  if (wanted === undefined || wanted.existingClaimName !== undefined) return undefined;
  const { size = DEFAULT_SIZE, storageClassName, accessMode } = wanted;
  return {
    apiVersion: 'v1',
    kind: 'PersistentVolumeClaim',
    metadata: retainedMetadata(owner, childNames(owner.name).mediaClaim, serverName),
    spec: {
      accessModes: [accessMode],
      resources: { requests: { storage: canonicalQuantity(size) } },
      ...(storageClassName === undefined ? {} : { storageClassName }),
    },
  };
}

/** Name of the claim that the pods mount; undefined without one. */
export function mediaClaimName(owner: Owner, media: MediaSpec | undefined): string | undefined {
  const claim = media?.persistentVolumeClaim;
  return claim && (claim.existingClaimName ?? childNames(owner.name).mediaClaim);
}
