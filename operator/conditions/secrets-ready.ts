import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** Every Secret that the resource names is there, and so are those that the operator makes. */
export function secretsReady(observed: Observed): ConditionResult {
  return gateCondition('SecretsReady', observed.gates.secrets);
}
