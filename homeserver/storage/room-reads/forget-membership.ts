import type { Queryable } from '../database.ts';

// One statement: a join that commits between reading and writing would be forgotten otherwise. Later memberships undo it, see write_batch.
const TEXT = `
update memberships m set flags = m.flags | 5::int2
from rooms r
where r.room_id = $1 and m.room_no = r.room_no and m.user_no = $2 and m.membership in (0, 3, 4)
returning m.room_no`;

/** Marks a room that the user has left or is banned from as forgotten; false when it is neither. */
export async function forgetMembership(db: Queryable, roomId: string, userNo: number): Promise<boolean> {
  const rows = await db.query({ name: 'memberships_update_forgotten', text: TEXT, values: [roomId, userNo] });
  return rows.length === 1;
}
