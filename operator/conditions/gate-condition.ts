import type { ConditionResult, GateReport } from './observed.ts';

/** The condition of one part from its report; a part that could not be looked at is Unknown, not False. */
export function gateCondition(type: string, report: GateReport): ConditionResult {
  switch (report.state) {
    case 'done':
      return { type, status: 'True', reason: 'OK', message: report.message };
    case 'skipped':
      return { type, status: 'Unknown', reason: 'Pending', message: report.message };
    case 'waiting':
    case 'blocked':
      return { type, status: 'False', reason: report.reason, message: report.message };
  }
}
