import type { MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import { selectCurrentKeys } from '../../storage/sync-reads/select-state.ts';
import { selectEventsByNo } from '../../storage/sync-reads/select-timeline.ts';
import { strippedEventJson } from '../client-event.ts';
import { jsonMembers, jsonString } from '../json-members.ts';
import type { Session } from '../session.ts';
import { rulesOf } from '../standing.ts';
import { storedEvent } from '../stored-event.ts';
import { STRIPPED_TYPES } from '../stripped-types.ts';

/**
 * Stripped state of rooms to which the reader is invited or on which they have knocked, by room number, the reader's own
 * membership event last. Invites of ignored users are left out.
 */
export async function readStrippedState(
  session: Session,
  rooms: readonly MembershipRow[],
  ignored: ReadonlySet<string>,
): Promise<Map<number, string[]>> {
  if (rooms.length === 0) return new Map();
  const { names } = session.ctx.store;
  const keys = await names.stateKeyNos(STRIPPED_TYPES.map((type) => [type, '']));
  const [state, members] = await Promise.all([
    selectCurrentKeys(
      session.db,
      rooms.map((row) => row.room_no),
      keys,
    ),
    selectEventsByNo(
      session.db,
      rooms.map((row) => row.event_no),
    ),
  ]);
  const current = await selectEventsByNo(
    session.db,
    state.map((row) => row.event_no),
  );
  const byRoom = Map.groupBy(current, (row) => row.room_no);
  const versions = new Map(rooms.map((row) => [row.room_no, row]));
  const given = new Map<number, string[]>();
  for (const member of members) {
    if (ignored.has(jsonString(jsonMembers(member.json).get('sender')) ?? '')) continue;
    const room = versions.get(member.room_no);
    if (room === undefined) continue;
    const standing = { roomId: room.room_id, rules: rulesOf(room.version) };
    const events = [...(byRoom.get(member.room_no) ?? []), member];
    given.set(
      member.room_no,
      events.map((row) => strippedEventJson(storedEvent(row, standing))),
    );
  }
  return given;
}
