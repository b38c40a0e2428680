import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** What the spec wants beside the server is there and serves. */
export function integrationsReady(observed: Observed): ConditionResult {
  return gateCondition('IntegrationsReady', observed.gates.integrations);
}
