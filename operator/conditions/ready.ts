import type { ConditionResult, Observed } from './observed.ts';
import { allDone, firstFailing } from './observed.ts';

/** This generation is reached and users are served; otherwise the reason of the first part that is not. */
export function ready(observed: Observed): ConditionResult {
  const failing = firstFailing(observed);
  if (failing !== undefined) {
    return { type: 'Ready', status: 'False', reason: failing.report.reason, message: failing.report.message };
  }
  if (!allDone(observed)) return { type: 'Ready', status: 'False', reason: 'Provisioning', message: 'work has begun' };
  if (observed.replicas === 0) {
    return { type: 'Ready', status: 'True', reason: 'ScaledToZero', message: 'replicas is 0: nothing is served' };
  }
  const message = `${observed.readyReplicas}/${observed.replicas} replicas serve ${observed.version ?? ''}`.trimEnd();
  return { type: 'Ready', status: 'True', reason: 'Serving', message };
}
