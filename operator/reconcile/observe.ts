import { objectKey } from '../runtime/kube-object.ts';
import type { DeploymentCopy, JobCopy } from './child-copies.ts';
import type { StepContext } from './step.ts';

/** The children whose status decides what a run does, read once. The others are looked up where they are applied. */
export interface Children {
  readonly deployment: DeploymentCopy | undefined;
  readonly jobs: readonly JobCopy[];
}

export function observeChildren({ env, owner, names }: StepContext): Children {
  const { caches } = env;
  return {
    deployment: caches.deployments.get(objectKey({ namespace: owner.namespace, name: names.deployment })),
    jobs: caches.jobs.find(objectKey(owner)),
  };
}
