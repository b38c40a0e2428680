import type { ChildCopy } from '../runtime/apply.ts';
import { isForbidden } from '../runtime/kube-error.ts';
import type { Resource } from '../runtime/kube-object.ts';
import { KINDS } from './kinds.ts';
import { observeChildren } from './observe.ts';
import type { StepContext } from './step.ts';

/** Has everything stopped that opens the database: the replicas and the Jobs. */
export async function stopPods(ctx: StepContext, terminating: boolean): Promise<void> {
  const { deployment, jobs } = observeChildren(ctx);
  if (deployment !== undefined) await stop(ctx, { resource: KINDS.deployment, child: deployment, terminating });
  for (const child of jobs) await stop(ctx, { resource: KINDS.job, child, terminating });
}

interface Stopping {
  readonly resource: Resource;
  readonly child: ChildCopy;
  readonly terminating: boolean;
}

async function stop({ env, owner }: StepContext, { resource, child, terminating }: Stopping): Promise<void> {
  if (child.deleting || child.ownerUid !== owner.uid) return;
  try {
    await env.client.delete(resource, { namespace: owner.namespace, name: child.name }, { uid: child.uid });
  } catch (error) {
    // The namespace controller took our rights first; it deletes the pods as well.
    if (!terminating || !isForbidden(error)) throw error;
  }
}
