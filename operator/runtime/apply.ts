import type { KubeClient } from './kube-client.ts';
import type { KubeObject, Manifest, Resource } from './kube-object.ts';
import { desiredDigest, ownedDigest } from './owned-fields.ts';

/** What the cache keeps of a child: about 300 bytes, no data of Secrets. */
export interface ChildCopy {
  readonly namespace: string | undefined;
  readonly name: string;
  readonly uid: string;
  readonly generation: number | undefined;
  readonly labels: Readonly<Record<string, string>>;
  readonly createdAt: string | undefined;
  readonly deleting: boolean;
  /** uid of the controlling owner. */
  readonly ownerUid: string | undefined;
  /** Digest of the fields that the manager owns; undefined when it owns none. */
  readonly digest: string | undefined;
}

/** Trims a child down to what `applyIfChanged` and the conditions need. */
export function childCopy(object: KubeObject, manager: string): ChildCopy {
  const { metadata } = object;
  return {
    namespace: metadata.namespace,
    name: metadata.name,
    uid: metadata.uid,
    generation: metadata.generation,
    labels: metadata.labels ?? {},
    createdAt: metadata.creationTimestamp,
    deleting: metadata.deletionTimestamp !== undefined,
    ownerUid: metadata.ownerReferences?.find((owner) => owner.controller === true)?.uid,
    digest: ownedDigest(object, manager),
  };
}

export type ApplyResult =
  | { readonly written: false }
  /** `digest` is that of the manifest. */
  | { readonly written: true; readonly object: KubeObject; readonly digest: string };

export interface ApplyTarget {
  readonly resource: Resource;
  readonly manifest: Manifest;
  readonly manager: string;
  /** Asked, with the digest of the manifest, before anything is written; false leaves the object as it is. */
  readonly mayWrite?: (digest: string) => Promise<boolean>;
}

/**
 * Applies a manifest unless the cached digest says that nothing would change: then no request is made. An object that
 * is being deleted is left alone; its end is seen by the watch, and the next run makes it again.
 */
export async function applyIfChanged(
  client: Pick<KubeClient, 'apply'>,
  target: ApplyTarget,
  cached: Pick<ChildCopy, 'digest' | 'deleting'> | undefined,
): Promise<ApplyResult> {
  const { resource, manifest, manager, mayWrite } = target;
  const digest = desiredDigest(manifest);
  if (cached?.deleting === true || cached?.digest === digest) return { written: false };
  if (mayWrite !== undefined && !(await mayWrite(digest))) return { written: false };
  return { written: true, object: await client.apply(resource, manifest, manager), digest };
}
