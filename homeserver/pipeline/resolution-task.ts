import { roomEventOf, type RoomEvent } from '../room/event-format.ts';
import type { EventId } from '../room/identifiers.ts';
import { isJsonObject } from '../room/json-value.ts';
import { ROOM_VERSIONS, type RoomVersionRules } from '../room/room-versions.ts';
import { resolveConflict } from '../room/state-resolution/resolve.ts';
import { resolveV1 } from '../room/state-resolution/resolve-v1.ts';
import { parseLooseJson } from '../room/strict-json.ts';

/** One resolution with all that it looks at, as plain data: it may be done on another thread. */
export interface ResolutionTask {
  readonly version: string;
  readonly events: readonly StoredPdu[];
  /** Those of the events that were refused. */
  readonly rejected: readonly EventId[];
  /** Entries by `stateMapKey`; at least those that the conflict looks at. */
  readonly unconflicted: readonly StateEntryPair[];
  readonly conflicts: readonly (readonly [key: string, eventIds: readonly EventId[]])[];
  /** Auth difference and conflicted state subgraph. */
  readonly difference: readonly EventId[];
}

export type StateEntryPair = readonly [key: string, eventId: EventId];

export interface StoredPdu {
  readonly eventId: EventId;
  readonly json: string;
}

/** The entries that hold where the states differ. */
export function runResolution(task: ResolutionTask): StateEntryPair[] {
  const rules = ROOM_VERSIONS.get(task.version);
  if (rules === undefined) throw new Error(`room version ${task.version} is not known to this program`);
  const events = new Map(task.events.map((stored) => [stored.eventId, readStored(stored, rules)]));
  const context = { events, rejected: new Set(task.rejected), rules };
  const unconflicted = new Map(task.unconflicted);
  if (rules.stateResolution === 'v1') {
    const conflicts = new Map(task.conflicts.map(([key, eventIds]) => [key, new Set(eventIds)]));
    return [...resolveV1(unconflicted, conflicts, context)];
  }
  const conflicted = new Set(task.conflicts.flatMap(([, eventIds]) => eventIds));
  return [...resolveConflict({ unconflicted, conflicted, difference: new Set(task.difference) }, context)];
}

/** The view of a stored event. Throws for what no event could be stored as. */
export function readStored({ eventId, json }: StoredPdu, rules: RoomVersionRules): RoomEvent {
  const parsed = parseLooseJson(json);
  if (!parsed.ok || !isJsonObject(parsed.value))
    throw new Error(`event ${eventId} is stored as something else than JSON`);
  return roomEventOf(parsed.value, eventId, rules);
}
