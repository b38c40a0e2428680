import { DATABASE_FINALIZER } from '../resources/labels.ts';
import { isForbidden } from '../runtime/kube-error.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/** What is needed to change the finalizers of a resource. */
export type FinalizerContext = Pick<StepContext, 'env' | 'homeserver'>;

export function hasFinalizer({ homeserver }: FinalizerContext): boolean {
  return homeserver.metadata.finalizers.includes(DATABASE_FINALIZER);
}

/**
 * Brings the finalizer in line with the policy; gives back the resource's version after that. With Retain there is none,
 * so nothing can hang. A namespace that is being deleted gets no new one.
 */
export async function ensureFinalizer(ctx: FinalizerContext): Promise<string> {
  const { spec, metadata } = ctx.homeserver;
  const isWanted = spec.deletion?.policy === 'Delete';
  if (isWanted === hasFinalizer(ctx)) return metadata.resourceVersion;
  if (!isWanted) return removeFinalizer(ctx);
  if (await isTerminating(ctx, metadata.namespace)) return metadata.resourceVersion;
  return setFinalizers(ctx, [...metadata.finalizers, DATABASE_FINALIZER]);
}

/** Errors: KubeError 409 when somebody wrote in between, 404 when the resource is gone. */
export function removeFinalizer(ctx: FinalizerContext): Promise<string> {
  const others = ctx.homeserver.metadata.finalizers.filter((name) => name !== DATABASE_FINALIZER);
  return setFinalizers(ctx, others);
}

async function setFinalizers({ env, homeserver }: FinalizerContext, finalizers: string[]): Promise<string> {
  const { namespace, name, resourceVersion } = homeserver.metadata;
  const patch = { namespace, name, resourceVersion, finalizers };
  const written = await env.client.setFinalizers(KINDS.homeserver, patch, MANAGERS.finalizers);
  env.metrics.writes.inc({ kind: KINDS.homeserver.kind });
  return written.metadata.resourceVersion;
}

/** Whether a namespace is being deleted. Without the right to look it counts as alive. */
export async function isTerminating({ env }: Pick<StepContext, 'env'>, name: string): Promise<boolean> {
  try {
    const namespace = await env.client.get(KINDS.namespace, { namespace: undefined, name });
    return namespace === undefined || namespace.metadata.deletionTimestamp !== undefined;
  } catch (error) {
    if (isForbidden(error)) return false;
    throw error;
  }
}
