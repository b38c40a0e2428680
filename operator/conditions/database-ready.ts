import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** The role and the database exist, are ours and have the right encoding and collation. */
export function databaseReady(observed: Observed): ConditionResult {
  return gateCondition('DatabaseReady', observed.gates.database);
}
