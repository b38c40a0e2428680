import type { Condition } from '../api/status.ts';
import type { ConditionResult } from './observed.ts';

const MAX_MESSAGE = 2000;

/**
 * Conditions as they go into the status: `lastTransitionTime` moves only when the status does. `now` is RFC 3339.
 * The order is that of `results`.
 */
export function mergeConditions(
  previous: readonly Condition[],
  results: readonly ConditionResult[],
  at: { readonly generation: number; readonly now: string },
): Condition[] {
  return results.map((result) => {
    const before = previous.find((condition) => condition.type === result.type);
    return {
      type: result.type,
      status: result.status,
      reason: result.reason,
      message: result.message.slice(0, MAX_MESSAGE),
      lastTransitionTime: before?.status === result.status ? before.lastTransitionTime : at.now,
      observedGeneration: at.generation,
    };
  });
}
