import type { Queryable } from '../database.ts';

/** A room as its row says. */
export interface CheckedRoom {
  readonly room_no: number;
  readonly room_id: string;
  readonly snapshot: number;
  readonly joined: number;
}

const ROOMS = 'select room_no, room_id, snapshot, joined from rooms where room_no > $1 order by room_no limit $2';

/** Rooms after `roomNo`, by number. */
export function selectRoomsAfter(db: Queryable, roomNo: number, limit: number): Promise<CheckedRoom[]> {
  return db.query({ name: 'verify_select_rooms', text: ROOMS, values: [roomNo, limit] });
}

const STATE = 'select state_key_no as key, event_no as event from current_state where room_no = $1';
const MEMBERS =
  'select user_no as key, event_no as event, membership = 1 as joined from memberships where room_no = $1 and membership <> 0';

/** Current state of a room as `current_state` has it: state key number -> event number. */
export async function selectStateOf(db: Queryable, roomNo: number): Promise<Map<number, number>> {
  const rows = await db.query<{ key: number; event: number }>({
    name: 'verify_select_state',
    text: STATE,
    values: [roomNo],
  });
  return new Map(rows.map(({ key, event }) => [key, event]));
}

/** Members as `memberships` has them, those that branches took away left out: user number -> event number, and how many are joined. */
export async function selectMembersOf(
  db: Queryable,
  roomNo: number,
): Promise<{ events: Map<number, number>; joined: number }> {
  const rows = await db.query<{ key: number; event: number; joined: boolean }>({
    name: 'verify_select_members',
    text: MEMBERS,
    values: [roomNo],
  });
  const events = new Map(rows.map(({ key, event }) => [key, event]));
  return { events, joined: rows.filter((row) => row.joined).length };
}
