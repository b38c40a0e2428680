import type { Queryable } from '../database.ts';

const JOINED_AMONG = `
select r.room_id from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.membership = 1 and r.room_id = any($2::text[])
limit 1`;

/** Whether the user is joined to one of these rooms. */
export async function isJoinedToOneOf(db: Queryable, userNo: number, roomIds: readonly string[]): Promise<boolean> {
  const rows = await db.query({
    name: 'memberships_select_joined_to_one',
    text: JOINED_AMONG,
    values: [userNo, roomIds],
  });
  return rows.length === 1;
}

// The longest-standing member first: least likely to have gone when the join is checked.
const LOCAL_MEMBERS = `
select u.user_id from memberships m join users u on u.user_no = m.user_no
where m.room_no = $1 and m.membership = 1 and u.local and ($2 or u.user_id = any($3::text[]))
order by m.position limit $4`;

/** Users of this server who are joined to the room: any of them, or only those named; at most `limit`. */
export async function selectLocalMembers(
  db: Queryable,
  roomNo: number,
  wanted: { anybody: boolean; userIds: readonly string[]; limit: number },
): Promise<string[]> {
  const values = [roomNo, wanted.anybody, wanted.userIds, wanted.limit];
  const rows = await db.query<{ user_id: string }>({ name: 'memberships_select_local', text: LOCAL_MEMBERS, values });
  return rows.map((row) => row.user_id);
}
