import type { RoomEvent } from '../room/event-format.ts';
import type { EventId } from '../room/identifiers.ts';
import { EVENT_FLAGS } from '../storage/batch-arrays.ts';
import { selectEventsById, type KnownEventRow } from '../storage/room-reads/select-events-by-id.ts';
import type { Store } from '../storage/store.ts';
import { knownById } from './judge-received.ts';
import { readStored } from './resolution-task.ts';
import type { ResolvedRoom } from './resolve-state.ts';

/** Refused events that are gone back through for one event; more in a row are no history but an attack. */
const MAX_REFUSED = 200;

/**
 * The events that `event` stands after: its parents, and where one of them was refused or soft-failed and so is no extremity, the
 * parents of that one as well.
 */
export async function coveredParents(
  store: Store,
  room: ResolvedRoom,
  parts: { event: RoomEvent; known: ReadonlyMap<EventId, KnownEventRow> },
): Promise<ReadonlySet<EventId>> {
  const covered = new Set(parts.event.prevEvents);
  let { known } = parts;
  let front: readonly EventId[] = parts.event.prevEvents;
  while (covered.size <= MAX_REFUSED) {
    const found = known;
    const next = front.flatMap((id) => parentsOfRefused(found.get(id), id, room)).filter((id) => !covered.has(id));
    if (next.length === 0) break;
    for (const id of next) covered.add(id);
    known = knownById(await selectEventsById(store.db, next));
    front = next;
  }
  return covered;
}

function parentsOfRefused(row: KnownEventRow | undefined, eventId: EventId, room: ResolvedRoom): readonly EventId[] {
  if (row === undefined || (row.flags & (EVENT_FLAGS.rejected | EVENT_FLAGS.softFailed)) === 0) return [];
  return readStored({ eventId, json: row.json }, room.rules).prevEvents;
}
