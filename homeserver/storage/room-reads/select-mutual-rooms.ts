import type { Queryable } from '../database.ts';

/** A room in which both users are joined. */
export interface MutualRoomRow {
  room_no: number;
  room_id: string;
  /** How many such rooms there are in all. */
  total: number;
}

const MUTUAL = `
with shared as (
  select m.room_no from memberships m join memberships o on o.room_no = m.room_no and o.user_no = $2 and o.membership = 1
  where m.user_no = $1 and m.membership = 1
)
select r.room_no, r.room_id, (select count(*)::int4 from shared) as total
from shared s join rooms r on r.room_no = s.room_no where s.room_no > $3 order by s.room_no limit $4`;

/** Rooms with a number above `after` in which both users are joined, by number. */
export function selectMutualRooms(
  db: Queryable,
  users: { one: number; other: number },
  after: number,
  limit: number,
): Promise<MutualRoomRow[]> {
  return db.query({ name: 'memberships_select_mutual', text: MUTUAL, values: [users.one, users.other, after, limit] });
}
