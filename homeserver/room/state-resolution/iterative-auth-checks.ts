import type { AuthState } from '../auth/auth-state.ts';
import { checkEvent } from '../auth/check-event.ts';
import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { stateMapKey, type StateMap } from '../state-map.ts';
import { citedCreate, citedEvent } from './cited-events.ts';
import type { ResolutionContext } from './resolution-context.ts';

/**
 * Applies events in their order to a state, leaving out each that the auth rules do not allow at its turn.
 *
 * Spec: room version 2, "Iterative auth checks".
 */
export function iterativeAuthChecks(
  start: StateMap,
  sorted: readonly RoomEvent[],
  context: ResolutionContext,
): Map<string, EventId> {
  const state = new Map(start);
  for (const event of sorted) {
    if (event.stateKey === undefined) continue;
    if (!checkEvent(event, authStateFor(event, state, context), context.rules).allowed) continue;
    state.set(stateMapKey(event.type, event.stateKey), event.eventId);
  }
  return state;
}

/** The state so far; for entries that it lacks, the event's own auth events but for rejected ones. */
function authStateFor(event: RoomEvent, state: StateMap, context: ResolutionContext): AuthState {
  const { events, rejected } = context;
  return {
    get: (type, stateKey) => {
      const held = state.get(stateMapKey(type, stateKey));
      const holding = held === undefined ? undefined : events.get(held);
      if (holding !== undefined) return holding;
      const isCreate = type === 'm.room.create' && stateKey === '';
      const cited = isCreate ? citedCreate(event, context) : citedEvent(event, { type, stateKey }, events);
      return cited === undefined || rejected.has(cited.eventId) ? undefined : cited;
    },
  };
}
