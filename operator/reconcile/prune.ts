import { HOMESERVER_LABEL } from '../resources/labels.ts';
import { KINDS } from './kinds.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

/** Old configurations that are kept: the Deployment keeps three old ReplicaSets that may still name one each. */
const KEPT_CONFIGS = 3;

/** Deletes configurations that no ReplicaSet can name any more; called when nothing is rolling. */
export async function prune(ctx: StepContext, currentConfig: string): Promise<StepResult<undefined>> {
  const { env, owner, names } = ctx;
  const labelSelector = `${HOMESERVER_LABEL}=${owner.name}`;
  const { items } = await env.client.list(KINDS.configMap, { namespace: owner.namespace, labelSelector });
  const old = items
    .map(({ metadata }) => metadata)
    .filter(
      ({ name, ownerReferences }) =>
        name.startsWith(names.config('')) &&
        name !== currentConfig &&
        ownerReferences?.some(({ uid }) => uid === owner.uid),
    )
    .sort((a, b) => (b.creationTimestamp ?? '').localeCompare(a.creationTimestamp ?? ''));
  for (const { name, uid } of old.slice(KEPT_CONFIGS)) {
    await env.client.delete(KINDS.configMap, { namespace: owner.namespace, name }, { uid });
  }
  return done(undefined);
}
