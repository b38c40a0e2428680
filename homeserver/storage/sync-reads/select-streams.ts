import type { Queryable } from '../database.ts';

export interface ReceiptRow {
  room_no: number;
  user_id: string;
  /** 1 m.read, 2 m.read.private. */
  kind: number;
  thread: string;
  event_id: string;
  ts: number;
}

const ROOM_RECEIPTS = `
select c.room_no, u.user_id, c.kind, c.thread, e.event_id, c.ts
from receipts c
join users u on u.user_no = c.user_no
join events e on e.event_no = c.event_no
where c.room_no = any($2::int8[]) and (c.kind = 1 or (c.kind = 2 and c.user_no = $1))
order by c.room_no, c.position`;

/** All receipts of some rooms that the user may see. */
export function selectReceiptsOfRooms(db: Queryable, userNo: number, rooms: readonly number[]): Promise<ReceiptRow[]> {
  return db.query({ name: 'receipts_select_of_rooms', text: ROOM_RECEIPTS, values: [userNo, rooms] });
}

const OWN_RECEIPT = `
select e.anchor, e.position from receipts c join events e on e.event_no = c.event_no
where c.room_no = $1 and c.user_no = $2 and c.kind = $3 and c.thread = $4 and e.anchor is not null`;

/** Where a user's receipt of a kind and thread stands in the order of the room. */
export async function selectReceiptPoint(
  db: Queryable,
  key: { roomNo: number; userNo: number; kind: number; thread: string },
): Promise<{ anchor: number; position: number } | undefined> {
  const rows = await db.query<{ anchor: number; position: number }>({
    name: 'receipts_select_point',
    text: OWN_RECEIPT,
    values: [key.roomNo, key.userNo, key.kind, key.thread],
  });
  return rows[0];
}

export interface AccountDataRow {
  /** 0: global. */
  room_no: number;
  type: string;
  content: string;
  position: number;
}

const ONE_ACCOUNT_DATA = `select content from account_data where user_no = $1 and room_no = $2 and type = $3`;

/** One key of account data as JSON text; room number 0 is global. */
export async function selectAccountData(
  db: Queryable,
  key: { userNo: number; roomNo: number; type: string },
): Promise<string | undefined> {
  const rows = await db.query<{ content: string }>({
    name: 'account_data_select',
    text: ONE_ACCOUNT_DATA,
    values: [key.userNo, key.roomNo, key.type],
  });
  return rows[0]?.content;
}

const ROOM_ACCOUNT_DATA = `
select room_no, type, content, position from account_data
where user_no = $1 and room_no = any($2::int8[]) order by position`;

/** All account data of a user in some rooms. */
export function selectAccountDataOfRooms(
  db: Queryable,
  userNo: number,
  rooms: readonly number[],
): Promise<AccountDataRow[]> {
  return db.query({ name: 'account_data_select_of_rooms', text: ROOM_ACCOUNT_DATA, values: [userNo, rooms] });
}

// Up to three steps from the event to its parents; rel_type 3 is m.thread.
const THREAD = `
with recursive up(hop, rel_type, parent_id) as (
  select 1, r.rel_type, r.parent_id from event_relations r where r.event_no = $1
  union all
  select u.hop + 1, r.rel_type, r.parent_id
  from up u join events e on e.event_id = u.parent_id join event_relations r on r.event_no = e.event_no
  where u.hop < 3 and u.rel_type <> 3
)
select parent_id from up where rel_type = 3 order by hop limit 1`;

/** The root of the thread that an event is in, directly or through its parents; undefined outside threads. */
export async function selectThreadOf(db: Queryable, eventNo: number): Promise<string | undefined> {
  const rows = await db.query<{ parent_id: string }>({
    name: 'event_relations_select_thread',
    text: THREAD,
    values: [eventNo],
  });
  return rows[0]?.parent_id;
}

const RELATED = `
with recursive up(hop, parent_id) as (
  select 1, r.parent_id from event_relations r where r.event_no = $1
  union all
  select u.hop + 1, r.parent_id
  from up u join events e on e.event_id = u.parent_id join event_relations r on r.event_no = e.event_no
  where u.hop < 3
)
select 1 as found from up where parent_id = $2 limit 1`;

/** Whether an event relates to another one by any relations, in up to three steps. */
export async function selectIsRelatedTo(db: Queryable, eventNo: number, eventId: string): Promise<boolean> {
  const rows = await db.query({ name: 'event_relations_select_is_related', text: RELATED, values: [eventNo, eventId] });
  return rows.length > 0;
}
