import { longestPeriodMs } from './longest-period.ts';
import type { BackupFacts, ConditionResult, DrillFacts } from './observed.ts';

type Problem = Pick<ConditionResult, 'reason' | 'message'>;

/** Whether the last backup, and the last drill where there are any, is good and not older than two periods; does not gate Ready. */
export function backupReady(facts: BackupFacts): ConditionResult {
  const type = 'BackupReady';
  const problem = facts.fault ?? backupProblem(facts) ?? drillProblem(facts);
  if (problem !== undefined) return { type, status: 'False', reason: problem.reason, message: problem.message };
  return { type, status: 'True', reason: 'OK', message: goodMessage(facts) };
}

function backupProblem({ schedule, lastSuccess, lastFailure, now }: BackupFacts): Problem | undefined {
  if (lastFailure !== undefined && lastFailure > (lastSuccess ?? 0)) {
    return { reason: 'BackupFailed', message: `the backup of ${time(lastFailure)} failed; see the log of its Job` };
  }
  if (lastSuccess === undefined) {
    return { reason: 'NeverRun', message: `no backup has been made yet; schedule ${schedule}` };
  }
  if (now - lastSuccess <= 2 * longestPeriodMs(schedule)) return undefined;
  const message = `the last good backup is of ${time(lastSuccess)}, the schedule is ${schedule}`;
  return { reason: 'BackupStale', message };
}

function drillProblem({ drill, now }: BackupFacts): Problem | undefined {
  if (drill === undefined) return undefined;
  const { schedule, lastSuccess, lastFailure, since } = drill;
  if (lastFailure !== undefined && lastFailure.at > (lastSuccess ?? 0)) {
    return { reason: 'DrillFailed', message: `the drill of ${time(lastFailure.at)} failed: ${lastFailure.message}` };
  }
  const from = lastSuccess ?? since ?? now;
  if (now - from <= 2 * longestPeriodMs(schedule)) return undefined;
  return { reason: 'DrillFailed', message: `no drill has ended since ${time(from)}, the schedule is ${schedule}` };
}

function goodMessage({ lastSuccess, drill }: BackupFacts): string {
  const backup = `the last backup is of ${time(lastSuccess ?? 0)}`;
  return drill === undefined ? backup : `${backup}, ${drillMessage(drill)}`;
}

function drillMessage({ lastSuccess }: DrillFacts): string {
  return lastSuccess === undefined ? 'no drill has run yet' : `the last drill of ${time(lastSuccess)}`;
}

function time(unixMs: number): string {
  return `${new Date(unixMs).toISOString().slice(0, 19)}Z`;
}
