import type { ConditionResult } from './observed.ts';

/** Reconciliation is off. */
export function paused(isPaused: boolean): ConditionResult {
  return isPaused
    ? { type: 'Paused', status: 'True', reason: 'Paused', message: 'spec.paused is true: nothing is changed' }
    : { type: 'Paused', status: 'False', reason: 'NotPaused', message: 'the operator works on this resource' };
}
