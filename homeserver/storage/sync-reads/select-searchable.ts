import type { Queryable } from '../database.ts';

/** Bit 4 of the flags: the user has forgotten the history. */
const ROOMS = `
select m.room_no, r.room_id from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.flags & 4 = 0
  and not exists (select 1 from current_state c where c.room_no = m.room_no and c.state_key_no = $2)
order by (m.membership = 1) desc, m.position desc limit $3`;

/**
 * The rooms that a user is or perhaps was in, by number and id, those they are joined to first; without encrypted rooms and those that
 * they have forgotten.
 */
export function selectSearchableRooms(
  db: Queryable,
  wanted: { userNo: number; encryptionKey: number; limit: number },
): Promise<{ room_no: number; room_id: string }[]> {
  const values = [wanted.userNo, wanted.encryptionKey, wanted.limit];
  return db.query({ name: 'memberships_select_searchable', text: ROOMS, values });
}

export interface SearchedRoomRow {
  room_no: number;
  room_id: string;
  version: number;
  /** As in MembershipRow, with the position and the event from which it holds. */
  membership: number;
  position: number;
  event_no: number;
  /** Snapshot of the room's present state. */
  snapshot: number;
}

const AMONG = `
select m.room_no, r.room_id, r.version, m.membership, m.position, m.event_no, r.snapshot
from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.room_no = any($2::int8[]) and m.flags & 4 = 0`;

/** What is to be known of some rooms to give their events to a user who is or was in them. */
export function selectSearchedRooms(
  db: Queryable,
  userNo: number,
  rooms: readonly number[],
): Promise<SearchedRoomRow[]> {
  return db.query({ name: 'memberships_select_searched', text: AMONG, values: [userNo, rooms] });
}
