import type { Verdict } from '../runtime/work-queue.ts';
import { REASONS } from '../api/reasons.ts';
import type { StepResult } from './step.ts';

/** When nothing changes: how soon a resource is looked at again, in ms. */
const RESYNC_MS = 600_000;
/** The same when a person has to act on something that no watch tells about. */
const BLOCKED_MS = 300_000;

/**
 * When to run again: growing backoff after a transient failure, the nearest wish of a waiting step, else a resync; never
 * later than `wishMs`, at which something changes by itself.
 */
export function verdictOf(results: readonly StepResult<unknown>[], random: () => number, wishMs = RESYNC_MS): Verdict {
  const waits = results.filter((result) => result.state === 'waiting');
  const failing = waits.filter(
    ({ retryAfterMs, reason }) => retryAfterMs === undefined || REASONS[reason].class === 'transient',
  );
  if (failing.length > 0) {
    const minMs = Math.max(0, ...failing.map(({ retryAfterMs = 0 }) => retryAfterMs));
    return { next: 'retry', minMs, cause: failing.map(({ reason }) => reason).join() };
  }
  const appointments = results.map((result) =>
    result.state === 'done' ? (result.againAfterMs ?? RESYNC_MS) : RESYNC_MS,
  );
  const soonest = Math.min(wishMs, ...waits.map(({ retryAfterMs = RESYNC_MS }) => retryAfterMs), ...appointments);
  if (waits.length > 0 || soonest < RESYNC_MS) return { next: 'later', afterMs: soonest };
  const isBlocked = results.some(({ state }) => state === 'blocked');
  const quietMs = (isBlocked ? BLOCKED_MS : RESYNC_MS) * (0.8 + 0.4 * random());
  return { next: 'later', afterMs: Math.min(wishMs, quietMs) };
}
