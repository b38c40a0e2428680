import type { Manifest } from '../resources/manifest.ts';
import type { ChildCopy } from '../runtime/apply.ts';
import { isNotFound } from '../runtime/kube-error.ts';
import { objectKey } from '../runtime/kube-object.ts';
import type { ChildTarget } from './apply-child.ts';
import { applyChild, readChild } from './apply-child.ts';
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
  const { caches, discovery } = ctx.env;
  const { namespace } = ctx.owner;
  const cached = caches.owned(kind).get(objectKey({ namespace, name }));
  if (manifest === undefined) {
    if (cached !== undefined) await deleteChild(ctx, kind, cached);
    return true;
  }
  if (kind.optional && !discovery.serves(kind)) return false;
  try {
    const target = { resource: kind, manifest };
    await applyChild(ctx, target, cached ?? (await readOptional(ctx, target)));
    return true;
  } catch (error) {
    if (!kind.optional || !isNotFound(error)) throw error;
    discovery.recheck();
    return false;
  }
}

async function deleteChild(
  { env, owner, key }: StepContext,
  kind: OwnedKind,
  { name, uid, ownerUid, deleting }: ChildCopy,
) {
  if (ownerUid !== owner.uid || deleting) return;
  await env.client.delete(kind, { namespace: owner.namespace, name }, { uid });
  env.drift.forget(key, `${kind.kind} ${name}`);
}

/** The first runs do not wait until kinds that a cluster may lack are in the caches. */
async function readOptional(ctx: StepContext, target: ChildTarget & { resource: OwnedKind }) {
  return target.resource.optional ? readChild(ctx, target) : undefined;
}
