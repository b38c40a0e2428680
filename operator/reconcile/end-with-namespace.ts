import type { Verdict } from '../runtime/work-queue.ts';
import { deleteResource } from './delete-resource.ts';
import { hasFinalizer } from './finalizer.ts';
import { stopPods } from './stop-pods.ts';
import type { StepContext } from './step.ts';

/**
 * What is left to do for a resource whose namespace is being deleted, although Kubernetes has not come to the resource yet: it
 * begins with the pods 5 s after the namespace was deleted, and looks again 5 s later. Pods that have ended by then and a
 * finalizer that is off by then hold up nothing; later ones cost half of the pods' longest time to end. And the Secrets
 * that dropping a database needs are still there.
 */
export async function endWithNamespace(ctx: StepContext): Promise<Verdict> {
  if (ctx.homeserver.spec.paused) return { next: 'done' };
  if (hasFinalizer(ctx)) return deleteResource(ctx);
  await stopPods(ctx, true);
  return { next: 'done' };
}
