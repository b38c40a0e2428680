import type { Queryable } from './database.ts';

export interface JoinedMemberEventRow {
  room_no: number;
  room_id: string;
  /** The user's own m.room.member event in that room. */
  event_id: string;
  json: string;
}

const TEXT = `
  select m.room_no, r.room_id, e.event_id, e.json
  from memberships m
  join rooms r on r.room_no = m.room_no
  join events e on e.event_no = m.event_no
  where m.user_no = $1 and m.membership = 1 and m.room_no > $2
  order by m.room_no limit $3`;

/** The rooms that a user has joined, with numbers above `after`, by number, and the events by which. */
export function selectJoinedMemberEvents(
  db: Queryable,
  userNo: number,
  after: number,
  limit: number,
): Promise<JoinedMemberEventRow[]> {
  const values = [userNo, after, limit];
  return db.query<JoinedMemberEventRow>({ name: 'memberships_select_joined_events', text: TEXT, values });
}
