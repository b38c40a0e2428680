import { REASONS, isReason } from '../api/reasons.ts';
import type { Condition } from '../api/status.ts';
import type { Gate, Observed } from '../conditions/observed.ts';
import { firstFailing } from '../conditions/observed.ts';

/** How long something may fail for a passing reason before a person should look, in ms. */
const OVERDUE_MS = 600_000;

const CONDITION_OF: Readonly<Record<Gate, string>> = {
  resolve: 'Ready',
  secrets: 'SecretsReady',
  database: 'DatabaseReady',
  keys: 'SigningKeysReady',
  schema: 'SchemaReady',
  workload: 'WorkloadReady',
  verify: 'WorkloadReady',
  exposure: 'Exposed',
  integrations: 'IntegrationsReady',
};

/** True when the first failing gate has been failing for transient reasons for 10 minutes. */
export function isOverdue(gates: Observed['gates'], before: readonly Condition[], nowMs: number): boolean {
  const failing = firstFailing({ gates });
  if (failing === undefined || REASONS[failing.report.reason].class !== 'transient') return false;
  const condition = before.find(({ type }) => type === CONDITION_OF[failing.gate]);
  if (condition?.status !== 'False' || !isReason(condition.reason)) return false;
  if (REASONS[condition.reason].class !== 'transient') return false;
  return nowMs - Date.parse(condition.lastTransitionTime) > OVERDUE_MS;
}
