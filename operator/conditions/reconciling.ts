import type { ConditionResult, Observed } from './observed.ts';
import { allDone, firstFailing } from './observed.ts';
import { stallingReport } from './stalled.ts';

/** The operator is working on this generation; never together with Stalled. Spec: kstatus "Reconciling". */
export function reconciling(observed: Observed): ConditionResult {
  const stalling = stallingReport(observed);
  if (stalling !== undefined) {
    return { type: 'Reconciling', status: 'False', reason: stalling.reason, message: 'see Stalled' };
  }
  if (allDone(observed)) {
    return { type: 'Reconciling', status: 'False', reason: 'Settled', message: 'nothing is left to do' };
  }
  const failing = firstFailing(observed);
  if (failing === undefined) {
    return { type: 'Reconciling', status: 'True', reason: 'Provisioning', message: 'work has begun' };
  }
  return { type: 'Reconciling', status: 'True', reason: failing.report.reason, message: failing.report.message };
}
