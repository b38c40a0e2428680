import type { DeploymentCopy } from './child-copies.ts';

/** Whether all pods of a Deployment are of its newest generation and ready. */
export function isRolledOut(deployment: DeploymentCopy, replicas: number): boolean {
  return (
    deployment.observedGeneration >= (deployment.generation ?? 0) &&
    deployment.updatedReplicas === replicas &&
    deployment.readyReplicas === replicas &&
    deployment.replicas === replicas
  );
}
