import type { Manifest } from '../resources/manifest.ts';
import { isNotFound } from '../runtime/kube-error.ts';
import { objectKey } from '../runtime/kube-object.ts';
import { applyChild } from './apply-child.ts';
import type { OwnedKind } from './kinds.ts';
import type { StepContext } from './step.ts';

/** A child that may be wanted: `manifest` undefined means that there shall be none of this kind and name. */
export interface Child {
  readonly kind: OwnedKind;
  readonly name: string;
  readonly manifest: Manifest | undefined;
}

/**
 * Applies what is wanted, in this order, and deletes what is no longer. One child that fails does not keep the others
 * from being looked at; the first failure is thrown at the end. Gives back the wanted kinds that this cluster lacks.
 */
export async function ensureChildren(ctx: StepContext, children: readonly Child[]): Promise<OwnedKind[]> {
  const lacking: OwnedKind[] = [];
  const failures: unknown[] = [];
  for (const child of children) {
    try {
      if (!(await ensureChild(ctx, child))) lacking.push(child.kind);
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length > 0) throw failures[0];
  return lacking;
}

/** false when the cluster does not know the kind of a wanted child. */
async function ensureChild(ctx: StepContext, { kind, name, manifest }: Child): Promise<boolean> {
  const { caches, client, discovery } = ctx.env;
  const { namespace, uid } = ctx.owner;
  const cached = caches.owned(kind).get(objectKey({ namespace, name }));
  if (manifest === undefined) {
    if (cached?.ownerUid === uid && !cached.deleting) {
      await client.delete(kind, { namespace, name }, { uid: cached.uid });
      ctx.env.drift.forget(ctx.key, `${kind.kind} ${name}`);
    }
    return true;
  }
  if (kind.optional && !discovery.serves(kind)) return false;
  try {
    await applyChild(ctx, { resource: kind, manifest }, cached);
    return true;
  } catch (error) {
    if (!kind.optional || !isNotFound(error)) throw error;
    discovery.recheck();
    return false;
  }
}
