import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** The signing keys are in the state that the spec asks for and the keyring holds them. */
export function signingKeysReady(observed: Observed): ConditionResult {
  return gateCondition('SigningKeysReady', observed.gates.keys);
}
