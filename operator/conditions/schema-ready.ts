import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** The schema of the database fits the wanted version. */
export function schemaReady(observed: Observed): ConditionResult {
  return gateCondition('SchemaReady', observed.gates.schema);
}
