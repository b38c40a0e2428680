import type { ConditionResult, FailingReport, Observed } from './observed.ts';
import { GATES, firstFailing, isFailing } from './observed.ts';

/** The report that only a person, or more time than anybody should wait, can change; undefined when there is none. */
export function stallingReport(observed: Observed): FailingReport | undefined {
  const reports = GATES.map((gate) => observed.gates[gate]).filter(isFailing);
  const blocked = reports.find((report) => report.state === 'blocked');
  if (blocked !== undefined) return blocked;
  return observed.overdue ? firstFailing(observed)?.report : undefined;
}

/** The operator cannot go on without a person, or has made no progress for 10 minutes. Spec: kstatus "Stalled". */
export function stalled(observed: Observed): ConditionResult {
  const report = stallingReport(observed);
  if (report === undefined) {
    return { type: 'Stalled', status: 'False', reason: 'OK', message: 'nothing stands in the way' };
  }
  return { type: 'Stalled', status: 'True', reason: report.reason, message: report.message };
}
