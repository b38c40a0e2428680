import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import type { StateMap } from '../state-map.ts';

/**
 * Events that stand in the auth chains of some of the states but not of all. As in the servers in use, the chain of a
 * state holds the events of the state themselves.
 *
 * Spec: room version 2, "Auth difference".
 */
export function authDifference(
  states: readonly StateMap[],
  conflicted: ReadonlySet<EventId>,
  events: ReadonlyMap<EventId, RoomEvent>,
): Set<EventId> {
  const below = authChain(conflicted, events);
  const masks = reachedFrom(states, below, events);
  const all = 2 ** states.length - 1;
  return new Set([...below].filter((id) => masks.get(id) !== all));
}

/** All that can be reached over auth events from `from`, those included. */
export function authChain(from: Iterable<EventId>, events: ReadonlyMap<EventId, RoomEvent>): Set<EventId> {
  const seen = new Set(from);
  // A set that grows while it is walked gives what was added, too.
  for (const id of seen) {
    for (const auth of events.get(id)?.authEvents ?? []) seen.add(auth);
  }
  return seen;
}

/** For each event of `below` the states that reach it, a bit each; nothing else can be in some chains only. */
function reachedFrom(
  states: readonly StateMap[],
  below: ReadonlySet<EventId>,
  events: ReadonlyMap<EventId, RoomEvent>,
): Map<EventId, number> {
  const masks = new Map<EventId, number>();
  for (const [index, state] of states.entries()) {
    for (const id of authChain(state.values(), events)) {
      if (below.has(id)) masks.set(id, (masks.get(id) ?? 0) + 2 ** index);
    }
  }
  return masks;
}
