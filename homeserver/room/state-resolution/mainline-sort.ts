import { compareCodePoints } from '../canonical-json.ts';
import type { RoomEvent } from '../event-format.ts';
import type { EventId } from '../identifiers.ts';
import { citedPowerLevels } from './cited-events.ts';
import type { ResolutionContext } from './resolution-context.ts';

/**
 * Orders events by how far back in the mainline of the resolved power levels they were made, earliest first.
 *
 * Spec: room version 2, "Mainline ordering".
 */
export function mainlineSort(
  events: readonly RoomEvent[],
  powerLevels: EventId | undefined,
  context: ResolutionContext,
): RoomEvent[] {
  const positions = mainlineOf(powerLevels, context);
  return events
    .map((event) => ({ event, position: positionOf(event, positions, context) }))
    .sort((a, b) => compareMainline(a.position, b.position) || compareAge(a.event, b.event))
    .map(({ event }) => event);
}

/** Earlier by the senders' clocks, then by id. */
export function compareAge(a: RoomEvent, b: RoomEvent): number {
  return a.originServerTs - b.originServerTs || compareCodePoints(a.eventId, b.eventId);
}

/** The greater position is the earlier one; both may be infinite. */
function compareMainline(a: number, b: number): number {
  if (a === b) return 0;
  return a > b ? -1 : 1;
}

/** Power levels of the mainline with their index, the resolved ones first. */
function mainlineOf(powerLevels: EventId | undefined, context: ResolutionContext): Map<EventId, number> {
  const positions = new Map<EventId, number>();
  let event = powerLevels === undefined ? undefined : context.events.get(powerLevels);
  while (event !== undefined && !positions.has(event.eventId)) {
    positions.set(event.eventId, positions.size);
    event = citedPowerLevels(event, context);
  }
  return positions;
}

/** The position of an event; those of the power levels passed on the way are noted, so that each is walked over once. */
function positionOf(event: RoomEvent, positions: Map<EventId, number>, context: ResolutionContext): number {
  const passed: EventId[] = [];
  let levels = citedPowerLevels(event, context);
  while (levels !== undefined && !positions.has(levels.eventId)) {
    // Until its end is known; a chain that bites its own tail ends nowhere.
    positions.set(levels.eventId, Number.POSITIVE_INFINITY);
    passed.push(levels.eventId);
    levels = citedPowerLevels(levels, context);
  }
  const position = levels === undefined ? undefined : positions.get(levels.eventId);
  const found = position ?? Number.POSITIVE_INFINITY;
  for (const id of passed) positions.set(id, found);
  return found;
}
