import type { ConditionResult, Observed } from './observed.ts';

/** At least one replica serves, whatever its generation: the condition to alert on. */
export function available(observed: Pick<Observed, 'replicas' | 'readyReplicas'>): ConditionResult {
  const { replicas, readyReplicas } = observed;
  if (readyReplicas > 0) {
    return {
      type: 'Available',
      status: 'True',
      reason: 'Serving',
      message: `${readyReplicas} of ${replicas} replicas serve`,
    };
  }
  if (replicas === 0) {
    return { type: 'Available', status: 'False', reason: 'ScaledToZero', message: 'replicas is 0' };
  }
  return { type: 'Available', status: 'False', reason: 'NoReplica', message: 'no replica is ready' };
}
