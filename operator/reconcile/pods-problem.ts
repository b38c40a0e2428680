import { objectKey } from '../runtime/kube-object.ts';
import type { Blocked, StepContext, Waiting } from './step.ts';
import { blocked, waiting } from './step.ts';

/** How soon to look again at pods; the watch of the Deployment is usually faster. In ms. */
const ROLLOUT_LOOK_MS = 10_000;

/** Why a Deployment beside the server is not up as it was applied; undefined when it is. `what` names it for people. */
export function podsProblem(
  { env, owner: { namespace } }: StepContext,
  name: string,
  what: string,
): Waiting | Blocked | undefined {
  const found = env.caches.deployments.get(objectKey({ namespace, name }));
  const isCurrent = found !== undefined && found.observedGeneration >= (found.generation ?? 0);
  if (isCurrent && found.updatedReplicas > 0 && found.readyReplicas >= found.replicas) return undefined;
  if (found?.failure !== undefined) {
    return blocked('RolloutFailed', `${what}: ${found.failure}; see kubectl -n ${namespace} describe pods`);
  }
  return waiting('Rolling', `the pod of ${what} is not ready yet`, ROLLOUT_LOOK_MS);
}
