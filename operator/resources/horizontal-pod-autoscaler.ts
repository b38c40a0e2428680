import type { Spec } from '../api/matrix-homeserver.ts';
import { API_VERSION, KIND } from '../api/matrix-homeserver.ts';
import { ownedMetadata } from './labels.ts';
import type { Manifest, Owner } from './manifest.ts';
import { childNames } from './names.ts';

/** Scales the resource itself, not its Deployment: so `spec.replicas` stays the one place of the number. */
export function horizontalPodAutoscaler(owner: Owner, wanted: Spec['autoscaling']): Manifest | undefined {
  if (wanted === undefined) return undefined;
  const target = { type: 'Utilization', averageUtilization: wanted.targetCPUUtilizationPercentage };
  return {
    apiVersion: 'autoscaling/v2',
    kind: 'HorizontalPodAutoscaler',
    metadata: ownedMetadata(owner, childNames(owner.name).autoscaler),
    spec: {
      scaleTargetRef: { apiVersion: API_VERSION, kind: KIND, name: owner.name },
      minReplicas: wanted.minReplicas,
      maxReplicas: wanted.maxReplicas,
      metrics: [{ type: 'Resource', resource: { name: 'cpu', target } }],
    },
  };
}
