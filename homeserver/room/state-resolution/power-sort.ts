import type { AuthState } from '../auth/auth-state.ts';
import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { ownString } from '../json-value.ts';
import { powerLevelsOf, userPowerLevel } from '../power-levels.ts';
import { citedCreate, citedPowerLevels } from './cited-events.ts';
import { compareAge } from './mainline-sort.ts';
import type { ResolutionContext } from './resolution-context.ts';

/** Always with the empty state key: an event of these types with another one has no say in the room. */
const POWER_TYPES: ReadonlySet<string> = new Set(['m.room.power_levels', 'm.room.join_rules', 'm.room.create']);
const REMOVALS: ReadonlySet<string | undefined> = new Set(['leave', 'ban']);

/**
 * The power events among the full conflicted set with what of their auth chains is in it, in reverse topological power
 * order: earliest first, those of the most powerful first where the graph leaves it open.
 *
 * Spec: room version 2, "Reverse topological power ordering" and step 1 of the algorithm.
 */
export function powerSort(full: ReadonlyMap<EventId, RoomEvent>, context: ResolutionContext): RoomEvent[] {
  return sortTopologically(selected(full), (event) => senderPower(event, context));
}

/** An event that might take away somebody's ability to do something. Servers in use count m.room.create in, too. */
export function isPowerEvent(event: RoomEvent): boolean {
  if (event.stateKey === '' && POWER_TYPES.has(event.type)) return true;
  if (event.type !== 'm.room.member' || event.stateKey === undefined) return false;
  return event.stateKey !== event.sender && REMOVALS.has(ownString(event.content, 'membership'));
}

/** Power events and, over auth events that are in the full conflicted set, all that they build on. */
function selected(full: ReadonlyMap<EventId, RoomEvent>): Map<EventId, RoomEvent> {
  const picked = new Map<EventId, RoomEvent>();
  for (const [id, event] of full) if (isPowerEvent(event)) picked.set(id, event);
  // A map that grows while it is walked gives what was added, too.
  for (const event of picked.values()) {
    for (const auth of event.authEvents) {
      const found = full.get(auth);
      if (found !== undefined) picked.set(auth, found);
    }
  }
  return picked;
}

/** The power of an event's sender by the power levels and the create event that it cites. */
function senderPower(event: RoomEvent, context: ResolutionContext): number {
  const state: AuthState = {
    get: (type) => (type === 'm.room.create' ? citedCreate(event, context) : citedPowerLevels(event, context)),
  };
  return userPowerLevel(powerLevelsOf(state, context.rules), event.sender);
}

interface Vertex {
  readonly event: RoomEvent;
  readonly power: number;
  /** Auth events that have not been given yet. */
  open: number;
  readonly later: Vertex[];
}

/** Kahn's algorithm: of the events whose auth events have all been given, the least comes next. */
function sortTopologically(events: ReadonlyMap<EventId, RoomEvent>, power: (event: RoomEvent) => number): RoomEvent[] {
  // Greatest first, so that the least is taken from the end.
  const ready: Vertex[] = [];
  for (const vertex of vertices(events, power)) if (vertex.open === 0) insertSorted(ready, vertex);
  const sorted: RoomEvent[] = [];
  for (let vertex = ready.pop(); vertex !== undefined; vertex = ready.pop()) {
    sorted.push(vertex.event);
    for (const later of vertex.later) {
      later.open--;
      if (later.open === 0) insertSorted(ready, later);
    }
  }
  return sorted;
}

function vertices(events: ReadonlyMap<EventId, RoomEvent>, power: (event: RoomEvent) => number): Vertex[] {
  const byId = new Map<EventId, Vertex>();
  for (const [id, event] of events) byId.set(id, { event, power: power(event), open: 0, later: [] });
  for (const vertex of byId.values()) {
    for (const auth of new Set(vertex.event.authEvents)) {
      const earlier = byId.get(auth);
      if (earlier === undefined) continue;
      earlier.later.push(vertex);
      vertex.open++;
    }
  }
  return [...byId.values()];
}

function insertSorted(ready: Vertex[], vertex: Vertex): void {
  let low = 0;
  let high = ready.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const other = ready[middle];
    if (other !== undefined && compareVertices(other, vertex) > 0) low = middle + 1;
    else high = middle;
  }
  ready.splice(low, 0, vertex);
}

/** Powers may both be infinite, so they are compared, not subtracted. */
function compareVertices(a: Vertex, b: Vertex): number {
  if (a.power !== b.power) return a.power > b.power ? -1 : 1;
  return compareAge(a.event, b.event);
}
