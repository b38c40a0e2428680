import { gateCondition } from './gate-condition.ts';
import type { ConditionResult, Observed } from './observed.ts';

/** The Ingress or the HTTPRoutes are as they should be, and their controller says that it serves them. */
export function exposed(observed: Observed): ConditionResult {
  return gateCondition('Exposed', observed.gates.exposure);
}
