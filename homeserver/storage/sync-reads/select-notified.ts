import type { Queryable } from '../database.ts';

/** An event of which a user may have been notified. */
export interface NotifiedRow {
  event_no: number;
  position: number;
  sender_no: number;
  type_no: number;
  /** As in the column `events.flags`. */
  flags: number;
  /** origin_server_ts, Unix ms. */
  ts: number;
  redacted: boolean;
  room_no: number;
  room_id: string;
  version: number;
  /** Users joined to the room. */
  joined: number;
  /** Number of the user's own membership event, and position at which it came to hold. */
  own_event_no: number;
  own_position: number;
  /** It is the invite that the user has not answered. */
  is_invite: boolean;
  /** A receipt of the user says that it is read. */
  is_read: boolean;
}

// Of each room the newest events of the stay, and of these the newest of all: one index range a room. An event is in the thread that it,
// or what it relates to over at most three steps, says it is in (rel_type 3 is m.thread).
const NOTIFIED = `
with found as materialized (
  select v.*, r.room_id, r.version, r.joined, m.event_no as own_event_no, m.position as own_position, false as is_invite
  from memberships m
  join rooms r on r.room_no = m.room_no
  cross join lateral (
    select event_no, event_id, room_no, anchor, position, sender_no, type_no, flags, ts from events
    where room_no = m.room_no and anchor < $2 and anchor > coalesce(m.joined_at, m.position) and position > 0
    order by anchor desc, position desc limit $3
  ) v
  where m.user_no = $1 and m.membership = 1
  union all
  select e.event_no, e.event_id, e.room_no, e.anchor, e.position, e.sender_no, e.type_no, e.flags, e.ts, r.room_id, r.version, r.joined,
    m.event_no, m.position, true
  from memberships m
  join rooms r on r.room_no = m.room_no
  join events e on e.event_no = m.event_no
  where m.user_no = $1 and m.membership = 2 and e.position > 0 and e.position < $2
  order by position desc limit $3
)
select f.event_no, f.position, f.sender_no, f.type_no, f.flags, f.ts, x.event_no is not null as redacted, f.room_no, f.room_id, f.version,
  f.joined, f.own_event_no, f.own_position, f.is_invite, exists (
    select from receipts c join events e on e.event_no = c.event_no
    where c.room_no = f.room_no and c.user_no = $1 and c.kind in (1, 2) and e.anchor >= f.anchor and c.thread in ('',
      case when a.rel_type = 3 then a.parent_id when b.rel_type = 3 then b.parent_id when d.rel_type = 3 then d.parent_id
        else 'main' end)
  ) as is_read
from found f
left join redactions x on x.redacted_event_id = f.event_id
left join event_relations a on a.event_no = f.event_no
left join events p on p.event_id = a.parent_id and a.rel_type <> 3
left join event_relations b on b.event_no = p.event_no
left join events q on q.event_id = b.parent_id and b.rel_type <> 3
left join event_relations d on d.event_no = q.event_no
order by f.position desc`;

/** The newest events before a position in the rooms that a user is joined to, and their open invites; newest first. */
export function selectNotified(
  db: Queryable,
  userNo: number,
  { before, limit }: { before: number; limit: number },
): Promise<NotifiedRow[]> {
  return db.query({ name: 'events_select_notified', text: NOTIFIED, values: [userNo, before, limit] });
}
