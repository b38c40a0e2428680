import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { authChain } from './auth-difference.ts';

/**
 * Events on a path over auth events from one conflicted event to another, both included: those that are in the chain
 * of a conflicted event and have a conflicted event in their own.
 *
 * Spec: room version 12, "Conflicted state subgraph".
 */
export function conflictedSubgraph(
  conflicted: ReadonlySet<EventId>,
  events: ReadonlyMap<EventId, RoomEvent>,
): Set<EventId> {
  const citing = citingEvents(authChain(conflicted, events), events);
  const found = new Set(conflicted);
  // From conflicted events up to all that build on them; the set grows while it is walked.
  for (const id of found) {
    for (const later of citing.get(id) ?? []) found.add(later);
  }
  return found;
}

/** By event, the events of `chain` that name it as an auth event. */
function citingEvents(chain: ReadonlySet<EventId>, events: ReadonlyMap<EventId, RoomEvent>): Map<EventId, EventId[]> {
  const citing = new Map<EventId, EventId[]>();
  for (const id of chain) {
    for (const auth of events.get(id)?.authEvents ?? []) {
      const list = citing.get(auth);
      if (list === undefined) citing.set(auth, [id]);
      else list.push(id);
    }
  }
  return citing;
}
