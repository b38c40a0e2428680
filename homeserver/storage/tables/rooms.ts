/**
 * rooms: a row is a room that we know. Written by the batch function alone; its snapshot is what every batch is compared with.
 * Read by everything that starts from a room id. Grows by a row for each room; deleted with the room.
 */
import type { Queryable } from '../database.ts';

const SELECT_NO = 'select room_no from rooms where room_id = $1';

/** The number of a room; undefined when we do not know it. */
export async function selectRoomNo(db: Queryable, roomId: string): Promise<number | undefined> {
  const rows = await db.query<{ room_no: number }>({ name: 'rooms_select_no', text: SELECT_NO, values: [roomId] });
  return rows[0]?.room_no;
}

/** What a room is called by and how many are in it. */
export interface RoomRow {
  room_no: number;
  room_id: string;
  version: number;
  joined: number;
}

const SELECT_BY_ID = `select room_no, room_id, version, joined from rooms where room_id = any($1::text[])`;

/** Rooms by their ids, in no order; unknown ones are missing. */
export function selectRoomsById(db: Queryable, roomIds: readonly string[]): Promise<RoomRow[]> {
  return db.query({ name: 'rooms_select_by_id', text: SELECT_BY_ID, values: [roomIds] });
}
