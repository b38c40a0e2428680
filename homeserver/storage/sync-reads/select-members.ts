import type { Queryable } from '../database.ts';
import type { TimelineRow } from './select-timeline.ts';

export interface HeroRow {
  room_no: number;
  user_no: number;
  user_id: string;
}

export interface FirstMemberRow extends HeroRow {
  /** Banned, or has left. */
  gone: boolean;
}

// Members who have gone are looked at only where at most one is left, so a large room costs six index entries.
const FIRST = `
select w.room_no, h.user_no, u.user_id, h.gone
from unnest($1::int8[]) as w(room_no)
cross join lateral (
  (select user_no, position, false as gone from memberships
   where room_no = w.room_no and membership in (1, 2) order by position limit 6)
  union all
  (select user_no, position, true from memberships
   where room_no = w.room_no and membership in (3, 4)
     and (select count(*) from (select from memberships o where o.room_no = w.room_no and o.membership in (1, 2) limit 2) l) < 2
   order by position limit 6)
) h
join users u on u.user_no = h.user_no
order by w.room_no, h.gone, h.position`;

/**
 * Of each room the first six that are joined or invited, by stream order, and where they are not two also the first six that are
 * banned or have left.
 */
export function selectFirstMembers(db: Queryable, rooms: readonly number[]): Promise<FirstMemberRow[]> {
  return db.query({ name: 'memberships_select_first', text: FIRST, values: [rooms] });
}

const OF_ROOM = `
select e.room_no, e.event_no, e.anchor, m.position, e.sender_no, e.type_no, e.state_key_no, e.state_before, e.state_after, e.ts,
  e.flags, e.event_id, e.json, b.event_id as because_id, b.json as because_json, b.ts as because_ts, null as txn_id, null as txn_device,
  false as related
from memberships m
join events e on e.event_no = m.event_no
left join redactions x on x.redacted_event_id = e.event_id
left join events b on b.event_no = x.event_no
where m.room_no = $1 and m.membership = any($2::int2[])
order by m.position`;

/** The membership events of a room's present members with the given memberships, in the order in which they came to hold. */
export function selectMemberEvents(db: Queryable, roomNo: number, kinds: readonly number[]): Promise<TimelineRow[]> {
  return db.query({ name: 'memberships_select_events', text: OF_ROOM, values: [roomNo, kinds] });
}

const NUMBERS_OF_ROOM = `
select coalesce(array_agg(event_no order by position, event_no), '{}') as event_nos
from memberships where room_no = $1 and membership = any($2::int2[])`;

/** The numbers of the same events, in the same order. */
export async function selectMemberEventNos(db: Queryable, roomNo: number, kinds: readonly number[]): Promise<number[]> {
  const rows = await db.query<{ event_nos: number[] }>({
    name: 'memberships_select_event_nos',
    text: NUMBERS_OF_ROOM,
    values: [roomNo, kinds],
  });
  return rows[0]?.event_nos ?? [];
}

const NUMBERS = `
select k.state_key_no, u.user_no from state_keys k join users u on u.user_id = k.state_key
where k.state_key_no = any($1::int8[]) and k.type_no = $2`;

/** The users that state keys of m.room.member name. */
export function selectMemberNumbers(
  db: Queryable,
  stateKeyNos: readonly number[],
  memberType: number,
): Promise<{ state_key_no: number; user_no: number }[]> {
  return db.query({ name: 'state_keys_select_users', text: NUMBERS, values: [stateKeyNos, memberType] });
}
