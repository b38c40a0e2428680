import type { EventId } from '../room/identifiers.ts';
import type { Tip } from './room-head.ts';

/** Most forward extremities of a room; the next local event names them all. */
export const MAX_TIPS = 10;

export interface NextTips {
  /** What the room ends in from now on. */
  readonly tips: readonly Tip[];
  /** Numbers of those that are none any more. */
  readonly gone: readonly number[];
}

/**
 * The extremities once `added` is there, which stands after all of `covered`. Where there would be too many, one goes whose state
 * another one has as well; if each has its own, the new event becomes none: what the room's state holds is not given up for a
 * branch that nothing has taken up yet.
 */
export function nextTips(tips: readonly Tip[], added: Tip, covered: ReadonlySet<EventId>): NextTips {
  const kept = tips.filter((tip) => !covered.has(tip.eventId));
  const gone = tips.filter((tip) => covered.has(tip.eventId)).map((tip) => tip.eventNo);
  if (kept.length < MAX_TIPS) return { tips: [...kept, added], gone };
  const twin = kept.find((tip, at) => hasTwin(tip.stateAfter, [...kept.slice(at + 1), added]));
  if (twin === undefined) return { tips: kept, gone };
  return { tips: [...kept.filter((tip) => tip !== twin), added], gone: [...gone, twin.eventNo] };
}

function hasTwin(snapshot: number, tips: readonly Tip[]): boolean {
  return tips.some(({ stateAfter }) => stateAfter === snapshot);
}
