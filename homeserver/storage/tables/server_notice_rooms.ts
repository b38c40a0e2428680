/**
 * server_notice_rooms: a row is the room in which the server talks to one user. Written by the first notice, before its room is made;
 * read by notices and by whoever wants to reject the invite. One row a user who was ever sent a notice.
 */
import type { Queryable } from '../database.ts';

const INSERT = `insert into server_notice_rooms (user_no, room_no) values ($1, $2) on conflict (user_no) do nothing`;

/** Gives the user the number of a room that is to be made, unless there is one. */
export async function claimNoticeRoom(db: Queryable, userNo: number, roomNo: number): Promise<void> {
  await db.query({ name: 'server_notice_rooms_insert', text: INSERT, values: [userNo, roomNo] });
}

export interface NoticeRoomRow {
  room_no: number;
  /** Null until the room is made. */
  room_id: string | null;
}

const SELECT = `
select n.room_no, r.room_id from server_notice_rooms n left join rooms r on r.room_no = n.room_no where n.user_no = $1`;

/** Undefined for a user who was never sent a notice. */
export async function selectNoticeRoom(db: Queryable, userNo: number): Promise<NoticeRoomRow | undefined> {
  const rows = await db.query<NoticeRoomRow>({ name: 'server_notice_rooms_select', text: SELECT, values: [userNo] });
  return rows[0];
}

const INVITED = `
select exists (
  select from server_notice_rooms n join rooms r on r.room_no = n.room_no
  join memberships m on m.room_no = n.room_no and m.user_no = n.user_no and m.membership = 2
  where n.user_no = $1 and r.room_id = $2
) as invited`;

/** Whether the user is invited to this room by the server itself. */
export async function selectIsInvitedToNotices(db: Queryable, userNo: number, roomId: string): Promise<boolean> {
  const rows = await db.query<{ invited: boolean }>({
    name: 'server_notice_rooms_select_invited',
    text: INVITED,
    values: [userNo, roomId],
  });
  return rows[0]?.invited === true;
}
