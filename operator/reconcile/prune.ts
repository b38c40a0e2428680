import { HOMESERVER_LABEL } from '../resources/labels.ts';
import type { ConfigMapCopy } from './caches.ts';
import { configMapCopy } from './caches.ts';
import { KINDS } from './kinds.ts';
import type { StepContext, StepResult } from './step.ts';
import { done } from './step.ts';

/** Old configurations that are kept: the Deployment keeps three old ReplicaSets that may still name one each. */
const KEPT_CONFIGS = 3;

/** Deletes configurations that no ReplicaSet can name any more; called when nothing is rolling. */
export async function prune(ctx: StepContext, currentConfig: string): Promise<StepResult<undefined>> {
  const { env, owner, names } = ctx;
  const old = (await configMaps(ctx))
    .filter(({ name, ownerUids }) => name.startsWith(names.config('')) && ownerUids.includes(owner.uid))
    .filter(({ name }) => name !== currentConfig)
    .sort((a, b) => b.createdAt.localeCompare(a.createdAt));
  for (const { name, uid } of old.slice(KEPT_CONFIGS)) {
    await env.client.delete(KINDS.configMap, { namespace: owner.namespace, name }, { uid });
  }
  return done(undefined);
}

/** Where they may not be watched they are asked for. */
async function configMaps({ env, key, owner }: StepContext): Promise<readonly ConfigMapCopy[]> {
  if (env.caches.seesSecrets(owner.namespace)) return env.caches.configMaps.find(key);
  const labelSelector = `${HOMESERVER_LABEL}=${owner.name}`;
  const { items } = await env.client.list(KINDS.configMap, { namespace: owner.namespace, labelSelector });
  return items.map(configMapCopy);
}
