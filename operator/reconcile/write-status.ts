import type { Status } from '../api/status.ts';
import { stableJson } from './digest.ts';
import { KINDS, MANAGERS } from './kinds.ts';
import type { StepContext } from './step.ts';

/**
 * Writes the status if it differs from the one that was read, guarded by the version that was read; gives back the
 * resource's new version. Errors: KubeError 409 Conflict when somebody wrote in between.
 */
export async function writeStatus(ctx: StepContext, status: Status, resourceVersion: string): Promise<string> {
  const { env, owner, homeserver } = ctx;
  if (stableJson(status) === stableJson(homeserver.status)) return resourceVersion;
  const patch = { namespace: owner.namespace, name: owner.name, resourceVersion, status };
  const written = await env.client.applyStatus(KINDS.homeserver, patch, MANAGERS.status);
  env.metrics.writes.inc({ kind: 'MatrixHomeserver' });
  if (stableJson(newsOf(status)) === stableJson(newsOf(homeserver.status))) env.caches.assumeStatus(written);
  return written.metadata.resourceVersion;
}

/** What only tells people: no step of a later run makes anything of it, so that no run has to follow. */
const FOR_PEOPLE = ['conditions', 'observedGeneration', 'lastAppliedSpecHash', 'replicas', 'readyReplicas'];

function newsOf(status: Status): Record<string, unknown> {
  return Object.fromEntries(Object.entries(status).filter(([field]) => !FOR_PEOPLE.includes(field)));
}
