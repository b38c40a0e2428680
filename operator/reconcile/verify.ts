import type { ServingFacts } from '../database/serving-facts.ts';
import type { DeploymentCopy } from './child-copies.ts';
import { isRolledOut } from './rollout.ts';
import type { StepContext, StepResult } from './step.ts';
import { blocked, done, waiting } from './step.ts';

/** How soon to look again at replicas that have started but not yet reported to the database, in ms. */
const REPORT_LOOK_MS = 1000;
/** How soon to look again at a rollout; the watch of the Deployment is usually faster. */
const ROLLOUT_LOOK_MS = 10_000;

export interface VerifyInput {
  readonly deployment: DeploymentCopy;
  readonly facts: ServingFacts;
  readonly version: string;
  readonly keyringGeneration: number;
}

/** Whether the wanted number of replicas of this generation serves: by the Deployment, then by the replicas' own word. */
export function verify(ctx: StepContext, input: VerifyInput): StepResult<undefined> {
  const { replicas } = ctx.homeserver.spec;
  const { deployment, facts } = input;
  if (deployment.failure !== undefined && !isRolledOut(deployment, replicas)) {
    return blocked('RolloutFailed', `${deployment.failure}; see kubectl -n ${ctx.owner.namespace} describe pods`);
  }
  if (!isRolledOut(deployment, replicas))
    return waiting('Rolling', rolloutMessage(deployment, replicas), ROLLOUT_LOOK_MS);
  const current = facts.replicas.filter(
    ({ version, keyringGeneration }) => version === input.version && keyringGeneration >= input.keyringGeneration,
  );
  if (current.length < replicas) {
    const message = `${current.length} of ${replicas} replicas have reported version ${input.version} and the current keyring`;
    return waiting('Verifying', message, REPORT_LOOK_MS);
  }
  return done(undefined, `${replicas}/${replicas} replicas serve ${input.version}`);
}

function rolloutMessage(deployment: DeploymentCopy, replicas: number): string {
  const { updatedReplicas, readyReplicas, observedGeneration, generation = 0 } = deployment;
  // Until the change is taken up, the counts are of the pods before it.
  const newReplicas = observedGeneration < generation ? 0 : updatedReplicas;
  return `${newReplicas} of ${replicas} replicas are new, ${readyReplicas} ready`;
}
