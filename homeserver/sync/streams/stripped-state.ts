import type { MembershipRow } from '../../storage/sync-reads/select-changes.ts';
import { selectCurrentKeys, selectMemberEventsAt } from '../../storage/sync-reads/select-state.ts';
import { selectEventsByNo, type TimelineRow } from '../../storage/sync-reads/select-timeline.ts';
import { strippedEventJson } from '../client-event.ts';
import { jsonMembers, jsonString } from '../json-members.ts';
import { MEMBERSHIP } from '../membership.ts';
import type { Session } from '../session.ts';
import { rulesOf } from '../standing.ts';
import { storedEvent } from '../stored-event.ts';
import { STRIPPED_TYPES } from '../stripped-types.ts';

/**
 * Stripped state of rooms to which the reader is invited or on which they have knocked, by room number, the reader's own
 * membership event last. That of who invites stands before it: a room without a name is called by it, and a client that is
 * asked whether to join shows the name that it holds. Invites of ignored users are left out.
 */
export async function readStrippedState(
  session: Session,
  rooms: readonly MembershipRow[],
  ignored: ReadonlySet<string>,
): Promise<Map<number, string[]>> {
  if (rooms.length === 0) return new Map();
  const [state, members] = await Promise.all([
    readStrippedTypes(session, rooms),
    selectEventsByNo(
      session.db,
      rooms.map((row) => row.event_no),
    ),
  ]);
  const byNo = new Map(rooms.map((row) => [row.room_no, row]));
  const inviters = await readInviters(session, byNo, members);
  const byRoom = Map.groupBy([...state, ...inviters], (row) => row.room_no);
  const given = new Map<number, string[]>();
  for (const member of members) {
    if (ignored.has(jsonString(jsonMembers(member.json).get('sender')) ?? '')) continue;
    const room = byNo.get(member.room_no);
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

async function readStrippedTypes(session: Session, rooms: readonly MembershipRow[]): Promise<TimelineRow[]> {
  const keys = await session.ctx.store.names.stateKeyNos(STRIPPED_TYPES.map((type) => [type, '']));
  const roomNos = rooms.map((row) => row.room_no);
  const state = await selectCurrentKeys(session.db, roomNos, keys);
  return selectEventsByNo(
    session.db,
    state.map((row) => row.event_no),
  );
}

/** Membership events, as they are now, of those who sent the invites among the events. */
function readInviters(
  session: Session,
  rooms: ReadonlyMap<number, MembershipRow>,
  members: readonly TimelineRow[],
): Promise<TimelineRow[]> | TimelineRow[] {
  const wanted = members.flatMap((member) => {
    const room = rooms.get(member.room_no);
    return room?.membership === MEMBERSHIP.invite ? [{ snapshot: room.snapshot, userNo: member.sender_no }] : [];
  });
  if (wanted.length === 0) return [];
  return selectMemberEventsAt(session.db, {
    snapshots: wanted.map(({ snapshot }) => snapshot),
    keys: wanted.map(({ userNo }) => userNo),
  });
}
