import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { stateMapKey, type StateMap } from '../state-map.ts';
import { authDifference } from './auth-difference.ts';
import { conflictedSubgraph } from './conflicted-subgraph.ts';
import { iterativeAuthChecks } from './iterative-auth-checks.ts';
import { mainlineSort } from './mainline-sort.ts';
import { powerSort } from './power-sort.ts';
import type { ResolutionContext } from './resolution-context.ts';
import { resolveV1 } from './resolve-v1.ts';
import { splitConflicted } from './split-conflicted.ts';

/** States that differ, taken apart. */
export interface Conflict {
  /** What all states agree on; at least the entries that `authStateKeys` of an event in conflict name, and their own. */
  readonly unconflicted: StateMap;
  /** Every event that some state has and another has not. */
  readonly conflicted: ReadonlySet<EventId>;
  /** The auth difference and, where the algorithm wants it, the conflicted state subgraph; it may repeat `conflicted`. */
  readonly difference: ReadonlySet<EventId>;
}

/**
 * The state before an event, made of the states after its parents: the same whatever their order. Needs all of the
 * states' auth chains in `events`.
 *
 * Spec: room versions 1, 2 and 12, "State resolution".
 */
export function resolve(states: readonly StateMap[], context: ResolutionContext): StateMap {
  const { stateResolution } = context.rules;
  const { unconflicted, conflicts } = splitConflicted(states, stateResolution);
  if (conflicts.size === 0) return unconflicted;
  if (stateResolution === 'v1') return new Map([...unconflicted, ...resolveV1(unconflicted, conflicts, context)]);
  const conflicted = new Set([...conflicts.values()].flatMap((ids) => [...ids]));
  const difference = authDifference(states, conflicted, context.events);
  const subgraph = stateResolution === 'v2.1' ? conflictedSubgraph(conflicted, context.events) : [];
  const resolved = resolveConflict(
    { unconflicted, conflicted, difference: new Set([...difference, ...subgraph]) },
    context,
  );
  return new Map([...unconflicted, ...resolved]);
}

/**
 * Algorithms v2 and v2.1 from the full conflicted set on: the entries to put beside the unconflicted ones.
 *
 * Spec: room versions 2 and 12, "State resolution", "Algorithm".
 */
export function resolveConflict(conflict: Conflict, context: ResolutionContext): StateMap {
  const { unconflicted, conflicted, difference } = conflict;
  const full = knownEvents([...conflicted, ...difference], context);
  // 1
  const powerEvents = powerSort(full, context);
  // 2
  const start: StateMap = context.rules.stateResolution === 'v2.1' ? new Map() : unconflicted;
  const partial = iterativeAuthChecks(start, powerEvents, context);
  // 3
  const picked = new Set(powerEvents);
  const rest = [...full.values()].filter((event) => !picked.has(event));
  const sorted = mainlineSort(rest, partial.get(stateMapKey('m.room.power_levels', '')), context);
  // 4
  const resolved = iterativeAuthChecks(partial, sorted, context);
  // 5
  return withoutUnconflicted(resolved, unconflicted);
}

/** State events among the ids; an id that nothing is known of cannot take part. */
function knownEvents(ids: readonly EventId[], { events }: ResolutionContext): Map<EventId, RoomEvent> {
  const known = new Map<EventId, RoomEvent>();
  for (const id of ids) {
    const event = events.get(id);
    if (event?.stateKey !== undefined) known.set(id, event);
  }
  return known;
}

function withoutUnconflicted(resolved: StateMap, unconflicted: StateMap): StateMap {
  return new Map([...resolved].filter(([key]) => !unconflicted.has(key)));
}
