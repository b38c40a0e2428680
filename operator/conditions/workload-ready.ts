import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** The Kubernetes objects are as they should be and the wanted number of replicas of this generation serves. */
export function workloadReady(observed: Observed): ConditionResult {
  const { workload, verify } = observed.gates;
  return gateCondition('WorkloadReady', workload.state === 'done' ? verify : workload);
}
