import type { RoomEvent } from '../event-format.ts';
import { parseEventId, type EventId } from '../identifiers.ts';
import type { ResolutionContext } from './resolution-context.ts';

/** The event of that type and state key among an event's auth events, if it is known. */
export function citedEvent(
  event: RoomEvent,
  name: { readonly type: string; readonly stateKey: string },
  events: ReadonlyMap<EventId, RoomEvent>,
): RoomEvent | undefined {
  for (const id of event.authEvents) {
    const auth = events.get(id);
    if (auth?.type === name.type && auth.stateKey === name.stateKey) return auth;
  }
  return undefined;
}

/** The power levels that an event was made under. */
export function citedPowerLevels(event: RoomEvent, { events }: ResolutionContext): RoomEvent | undefined {
  return citedEvent(event, { type: 'm.room.power_levels', stateKey: '' }, events);
}

/** The create event of an event's room: among its auth events or, where those leave it out, the one that the room id names. */
export function citedCreate(event: RoomEvent, { events, rules }: ResolutionContext): RoomEvent | undefined {
  if (rules.createInAuthEvents) return citedEvent(event, { type: 'm.room.create', stateKey: '' }, events);
  return createOfRoom(event, events);
}

function createOfRoom(event: RoomEvent, events: ReadonlyMap<EventId, RoomEvent>): RoomEvent | undefined {
  const createId = parseEventId(`$${event.roomId.slice(1)}`);
  return createId === undefined ? undefined : events.get(createId);
}
