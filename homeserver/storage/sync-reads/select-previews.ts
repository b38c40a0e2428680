import type { Queryable } from '../database.ts';

const MEMBERSHIPS = `select room_no, membership from memberships where user_no = $1 and room_no = any($2::int8[])`;

/** The user's membership in each of these rooms; those in which they never were are missing. */
export function selectMembershipsIn(
  db: Queryable,
  userNo: number,
  rooms: readonly number[],
): Promise<{ room_no: number; membership: number }[]> {
  return db.query({ name: 'memberships_select_in_rooms', text: MEMBERSHIPS, values: [userNo, rooms] });
}

const JOINED_IDS = `
select r.room_id from rooms r join memberships m on m.room_no = r.room_no
where r.room_id = any($2::text[]) and m.user_no = $1 and m.membership = 1`;

/** Which of these rooms the user is joined to. */
export async function selectJoinedIdsAmong(
  db: Queryable,
  userNo: number,
  roomIds: readonly string[],
): Promise<string[]> {
  const rows = await db.query<{ room_id: string }>({
    name: 'memberships_select_joined_ids_among',
    text: JOINED_IDS,
    values: [userNo, roomIds],
  });
  return rows.map((row) => row.room_id);
}

const JOINED_VERSIONS = `
select m.room_no, r.room_id, r.version from memberships m join rooms r on r.room_no = m.room_no
where m.user_no = $1 and m.membership = 1`;

export interface JoinedRoomRow {
  room_no: number;
  room_id: string;
  version: number;
}

/** The rooms that the user is joined to, with what reading their events takes. */
export function selectJoinedRooms(db: Queryable, userNo: number): Promise<JoinedRoomRow[]> {
  return db.query({ name: 'memberships_select_joined_versions', text: JOINED_VERSIONS, values: [userNo] });
}

/** A m.space.child event that holds, with the redaction that holds for it. */
export interface SpaceChildRow {
  room_no: number;
  event_id: string;
  ts: number;
  json: string;
  because_id: string | null;
  because_json: string | null;
  because_ts: number | null;
}

// The spaces' other state keys are passed over in the index: a space has few.
const CHILDREN = `
select w.room_no, e.event_id, e.ts, e.json, b.event_id as because_id, b.json as because_json, b.ts as because_ts
from unnest($1::int8[]) as w(room_no)
cross join lateral (
  select c.event_no from current_state c join state_keys k on k.state_key_no = c.state_key_no
  where c.room_no = w.room_no and k.type_no = $2 order by c.state_key_no limit $3
) c
join events e on e.event_no = c.event_no
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no`;

/** The m.space.child events of rooms, in no order; at most `limit` of each room. */
export function selectSpaceChildren(
  db: Queryable,
  rooms: readonly number[],
  { childType, limit }: { childType: number; limit: number },
): Promise<SpaceChildRow[]> {
  return db.query({ name: 'current_state_select_children', text: CHILDREN, values: [rooms, childType, limit] });
}
